// Greedy decoding with a key/value cache, many rows and prompts in one batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"

namespace softprompt {

// Queries that share a call: row i is inputs.row(i) behind prompts[promptOfRow[i]] (-1: none).
struct PromptedRows {
  TokenRows inputs;
  std::vector<at::Tensor> prompts;   // float32 [P_j, d]
  std::vector<int32_t> promptOfRow;  // one a row
};

struct GenerateOptions {
  int64_t maxNewTokens = 128;
  int64_t minNewTokens = 0;
};

enum class FinishReason { kEos, kLength };

struct Generation {
  std::vector<int32_t> tokens;  // no start token; </s> kept where it was made
  double logProb = 0;           // sum of the raw log-softmax of its tokens
  FinishReason finishReason = FinishReason::kLength;
};

// `options` holds one entry a row. onToken(row, token) is called in order for each row as its tokens are made (may be
// empty). Rows are sorted by length and decoded in batches of at most `maxBatch`; the answers keep the order of the
// rows.
using OnToken = std::function<void(int64_t row, int32_t token)>;
std::vector<Generation> generate(Executor& model, const PromptedRows& rows, const std::vector<GenerateOptions>& options,
                                 YieldPoint& yieldPoint, const OnToken& onToken = {}, int64_t maxBatch = 64);

}  // namespace softprompt
