// [P; X]: soft prompts in front of embedded inputs (the paper, section 2).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
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
// the prompts. Throws Error TOKEN_OUT_OF_RANGE and DATA_ROW_INVALID (neither ids nor a prompt), naming the row, and
// what checkPrompt throws.
EncoderInput prefixed(Executor& model, const TokenRows& inputs, const std::vector<int64_t>& which,
                      const std::vector<at::Tensor>& prompts, const std::vector<int32_t>& promptOfRow,
                      int64_t bucket = 1);

// Throws Error TOKEN_OUT_OF_RANGE for an id outside of 0 .. vocabSize - 1, naming the row and what the rows are
// ("input", "target" ...).
void checkTokens(const TokenRows& rows, const std::vector<int64_t>& which, int64_t vocabSize, const std::string& name);

}  // namespace softprompt
