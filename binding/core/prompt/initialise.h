// Where a prompt starts (the paper, section 3.2 and appendix; PAPER.md "initialisation").
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"

namespace softprompt {

enum class InitKind { kVocabulary, kUniform, kLabels, kText, kPrompt };

struct InitOptions {
  InitKind kind = InitKind::kVocabulary;
  int64_t length = 100;  // P
  double low = -0.5;     // kUniform
  double high = 0.5;     // kUniform
  int64_t sampledFrom =
      5000;           // kVocabulary, and the rows that kLabels / kText fill up: the first ids, or as many as there are
  TokenRows labels;   // kLabels: a row each label, its pieces without </s>; kText: one row
  at::Tensor prompt;  // kPrompt: float32 [P', d]; cut or filled up to length
};

// float32 [length, d] on the CPU; the same for the same seed.
at::Tensor initialPrompt(Executor& model, const InitOptions& options, uint64_t seed);

}  // namespace softprompt
