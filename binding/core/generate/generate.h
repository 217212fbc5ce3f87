// Decoding with a key/value cache, many rows, prompts and options in one batch: greedy, beam search, sampling.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
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

  void append(const PromptedRows& more);
};

// Called in order with the tokens of a row's first output: as they are made or, of a beam search, at its end.
using OnToken = std::function<void(int64_t row, int32_t token)>;

class DecodingBatch;

// Decoding of many rows, a token at a time, in a batch of at most `maxLanes` sequences (unless one row alone wants
// more): the longest inputs first, and as rows end others take their places, those of a later add() too. What a row
// gets does not depend on the others.
class Decoding {
 public:
  explicit Decoding(Executor& model, OnToken onToken = {}, int64_t maxLanes = 64);
  ~Decoding();

  // Rows as a call has them; they get the next numbers. `options` holds one entry a row. Throws what check() does.
  void add(const PromptedRows& rows, const std::vector<GenerateOptions>& options);
  // Throws what checkRows does, and TOKEN_OUT_OF_RANGE for what the options name.
  static void check(const PromptedRows& rows, const std::vector<GenerateOptions>& options, const T5Config& config);
  // Whether rows that are added now can be decoded beside those that are being decoded.
  bool takesMore() const;
  // Of all rows that are not done.
  int64_t lanes() const;

  // One token more for the rows that are being decoded; false: all rows are done.
  bool step(YieldPoint& yieldPoint);
  // Leaves a row out from now on; it is done, without answers.
  void drop(int64_t row);
  // Ends a row with the tokens that it has so far. Nothing, for a beam search and a row whose turn has not come.
  void finish(int64_t row);
  bool isDone(int64_t row) const { return done_[row]; }
  // The outputs of each row that is done, numReturnSequences of them, the best first.
  std::vector<std::vector<Generation>> answers;

 private:
  void admit(Pass& pass);
  std::vector<int64_t> nextRows();
  void answer(int64_t row, std::vector<Generation> made);

  Executor& model_;
  const OnToken onToken_;
  const int64_t maxLanes_;
  PromptedRows rows_;
  std::deque<GenerateOptions> options_;  // searches keep references
  std::vector<bool> done_;
  std::vector<int64_t> waiting_;  // rows whose turn has not come, the next one last
  std::unique_ptr<DecodingBatch> batch_;
};

// All of it, pausing after each token.
std::vector<std::vector<Generation>> generate(Executor& model, const PromptedRows& rows,
                                              const std::vector<GenerateOptions>& options, YieldPoint& yieldPoint,
                                              const OnToken& onToken = {}, int64_t maxLanes = 64);

// Lanes of a decoding batch that a row takes.
int64_t lanesOf(const GenerateOptions& options);

}  // namespace softprompt
