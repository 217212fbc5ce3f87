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

// A row of a batch: which of the inputs, and which of the prompts goes in front of it (-1: none).
struct PrefixedRow {
  int64_t input = 0;
  int32_t prompt = -1;
};

// Each row's prompt (float32 [P_i, d]), its ids, then padding, so that positions are 0.. in every row; the same input
// may stand behind several prompts. S is the longest row rounded up to a multiple of `bucket`. Differentiable in the
// prompts. Throws Error TOKEN_OUT_OF_RANGE and DATA_ROW_INVALID (neither ids nor a prompt), naming the input, and what
// checkPrompt throws.
EncoderInput prefixedRows(Executor& model, const TokenRows& inputs, const std::vector<PrefixedRow>& rows,
                          const std::vector<at::Tensor>& prompts, int64_t bucket = 1);

// The same of inputs `which`, each behind prompts[promptOfRow[input]].
EncoderInput prefixed(Executor& model, const TokenRows& inputs, const std::vector<int64_t>& which,
                      const std::vector<at::Tensor>& prompts, const std::vector<int32_t>& promptOfRow,
                      int64_t bucket = 1);

// Throws Error TOKEN_OUT_OF_RANGE for an id outside of 0 .. vocabSize - 1, naming the row and what the rows are
// ("input", "target" ...).
void checkTokens(const TokenRows& rows, const std::vector<int64_t>& which, int64_t vocabSize, const std::string& name);

}  // namespace softprompt
