// [P; X]: soft prompts in front of embedded inputs (the paper, section 2).
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"

namespace softprompt {

struct EncoderInput {
  at::Tensor embeds;  // [B, S, d]
  at::Tensor mask;    // [B, S] bool
};

// Rows `which` of `inputs`; prompts[promptOfRow[row]] (float32 [P_i, d], -1: none) goes in front of each, then padding,
// so that positions are 0.. in every row. S is the longest row rounded up to a multiple of `bucket`. Differentiable in
// the prompts.
EncoderInput prefixed(Executor& model, const TokenRows& inputs, const std::vector<int64_t>& which,
                      const std::vector<at::Tensor>& prompts, const std::vector<int32_t>& promptOfRow,
                      int64_t bucket = 1);

}  // namespace softprompt
