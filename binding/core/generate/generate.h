// Decoding with a key/value cache, many rows, prompts and options in one batch: greedy, beam search, sampling.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/generate/options.h"
#include "core/generate/search.h"
#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"

namespace softprompt {

// Queries that share a call: row i is inputs.row(i) behind prompts[promptOfRow[i]] (-1: none).
struct PromptedRows {
  TokenRows inputs;
  std::vector<at::Tensor> prompts;   // float32 [P_j, d]
  std::vector<int32_t> promptOfRow;  // one a row
};

// Called in order with the tokens of a row's first output: as they are made or, of a beam search, at its end.
using OnToken = std::function<void(int64_t row, int32_t token)>;

class DecodingBatch;

// Decoding of a call's rows, a token at a time. Rows are sorted by length and decoded in batches of at most `maxLanes`
// sequences (unless one row alone wants more). What a row gets does not depend on the others.
class Decoding {
 public:
  // `options` holds one entry a row. Throws what checkRows does.
  Decoding(Executor& model, PromptedRows rows, std::vector<GenerateOptions> options, OnToken onToken = {},
           int64_t maxLanes = 64);
  ~Decoding();

  // One token more for the batch that is being decoded; false: all rows are done.
  bool step(YieldPoint& yieldPoint);
  // Leaves a row out from now on; it is done, without answers.
  void drop(int64_t row);
  // Ends a row with the tokens that it has so far. Nothing, for a beam search and a row whose turn has not come.
  void finish(int64_t row);
  bool isDone(int64_t row) const { return done_[row]; }
  // The outputs of each row that is done, numReturnSequences of them, the best first.
  std::vector<std::vector<Generation>> answers;

 private:
  void answer(int64_t row, std::vector<Generation> made);

  Executor& model_;
  const PromptedRows rows_;
  const std::vector<GenerateOptions> options_;
  const OnToken onToken_;
  std::vector<bool> done_;
  std::vector<std::vector<int64_t>> batches_;  // what is left, the next one last
  std::unique_ptr<DecodingBatch> batch_;
};

// All of it, pausing after each token.
std::vector<std::vector<Generation>> generate(Executor& model, const PromptedRows& rows,
                                              const std::vector<GenerateOptions>& options, YieldPoint& yieldPoint,
                                              const OnToken& onToken = {}, int64_t maxLanes = 64);

// Lanes of a decoding batch that a row takes.
int64_t lanesOf(const GenerateOptions& options);

}  // namespace softprompt
