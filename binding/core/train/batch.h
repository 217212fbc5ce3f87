// Which rows a step learns from, and their targets as the decoder sees them.
//
// Letters: B rows of a batch, T decoder positions, N real target tokens of the batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/runtime/token_rows.h"
#include "core/t5/config.h"

namespace softprompt {

// The order of a training run: one epoch behind the other without a gap, each a permutation by (seed, epoch), or the
// set's own order. Position step * batchSize is all there is to resume from.
class BatchOrder {
 public:
  // A batch holds a row once at most: it is cut to `rows` where the set is smaller.
  BatchOrder(int64_t rows, int64_t batchSize, bool shuffle, uint64_t seed);

  int64_t batchSize() const { return batchSize_; }
  std::vector<int64_t> rowsOf(int64_t step);  // step from 0

 private:
  int64_t rowAt(int64_t position);

  int64_t rows_;
  int64_t batchSize_;
  bool shuffle_;
  uint64_t seed_;
  int64_t epoch_ = -1;  // that of permutation_
  std::vector<int64_t> permutation_;
};

// Lengths are rounded up so that a run sees few shapes (the maths libraries cache one plan a shape).
constexpr int64_t kInputBucket = 8;
constexpr int64_t kTargetBucket = 4;

struct EncoderIds {
  at::Tensor ids;   // int64 [B, S], padded
  at::Tensor mask;  // bool [B, S], true = a real position
};

// S is the longest row rounded up to a multiple of `bucket`. All on the CPU.
EncoderIds encoderIds(const TokenRows& inputs, const std::vector<int64_t>& which, const T5Config& config,
                      int64_t bucket = 1);

struct DecoderTargets {
  at::Tensor decoderIds;  // int64 [B, T]: shifted right behind decoder_start_token_id, padded
  at::Tensor positions;   // int64 [N]: places of the real tokens in [B * T]
  at::Tensor ids;         // int64 [N]: the tokens to be predicted there
};

// T is the longest row rounded up to a multiple of `bucket`. All on the CPU.
DecoderTargets decoderTargets(const TokenRows& targets, const std::vector<int64_t>& which, const T5Config& config,
                              int64_t bucket = 1);

}  // namespace softprompt
