// What a row's options change about the scores of the next token, in the order of Hugging Face transformers: repetition
// penalty, repeated n-grams, bad words, minNewTokens, labels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/generate/options.h"

namespace softprompt {

// One lane of the scores: the options of its row and what it has made, the start token first.
struct ScoredLane {
  const GenerateOptions* options;
  std::span<const int32_t> ids;
  bool mayDie = false;  // its row has an answer already, so nothing is lost where no token is left
};

// Whether processScores would change anything for a sequence of `length` tokens.
bool changesScores(const GenerateOptions& options, int64_t length);

// Changes scores, float32 [lanes, V] and finite, in place; what is forbidden becomes minus infinity. The beams of one
// row stand together and share their `options`. Where all that the labels allow a sample, or all beams of a row, is
// forbidden by other options, the labels win.
void processScores(at::Tensor& scores, const std::vector<ScoredLane>& lanes, int32_t eos);

}  // namespace softprompt
