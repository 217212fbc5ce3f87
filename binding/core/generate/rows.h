// What generate, score and classify have in common: checking the rows of a call and dividing them into batches.
#pragma once

#include <cstdint>
#include <vector>

#include "core/generate/generate.h"

namespace softprompt {

// Checks every row and prompt before any work is done, so that a bad row late in a call is found at once. Throws Error
// TOKEN_OUT_OF_RANGE, DATA_ROW_INVALID, PROMPT_*.
void checkRows(const PromptedRows& rows, const T5Config& config);

// As above for `targets`, one a row or one a label: none may be empty (DATA_TARGET_EMPTY). `name`: "target", "label".
void checkTargets(const TokenRows& targets, const T5Config& config, const std::string& name);

// Encoder positions of a row: prompt and input.
int64_t encoderLength(const PromptedRows& rows, int64_t row);

// Divides `which` into batches of rows of similar length, longest first: at most maxBatch lanes and, unless one row
// alone is longer, kMaxBatchPositions padded encoder positions a batch. Equal lengths keep their order. `lanes` says
// how many places of a batch each row of `rows` takes; empty: one.
constexpr int64_t kMaxBatchPositions = 16384;
std::vector<std::vector<int64_t>> batchesByLength(const PromptedRows& rows, std::vector<int64_t> which,
                                                  int64_t maxBatch, const std::vector<int64_t>& lanes = {});

// [P; X] of one batch through the encoder.
Encoded encodeRows(Executor& model, const PromptedRows& rows, const std::vector<int64_t>& batch, Pass& pass);

// Where dropping rows copies the key/value cache, a decoding batch shrinks only once a quarter of it is finished.
inline bool worthShrinking(int64_t alive, int64_t size) {
  return alive * 4 <= size * 3;
}

// int64 [n] and float32 [n] on `device`.
at::Tensor indexTensor(const std::vector<int64_t>& values, at::Device device);
at::Tensor floatTensor(const std::vector<float>& values, at::Device device);

}  // namespace softprompt
