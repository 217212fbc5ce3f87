#include "core/train/batch.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/runtime/random.h"

namespace softprompt {

BatchOrder::BatchOrder(int64_t rows, int64_t batchSize, bool shuffle, uint64_t seed)
    : rows_(rows), batchSize_(std::min(batchSize, rows)), shuffle_(shuffle), seed_(seed) {}

int64_t BatchOrder::rowAt(int64_t position) {
  const int64_t epoch = position / rows_, place = position % rows_;
  if (!shuffle_) return place;
  if (epoch != epoch_) {
    permutation_ = CounterRandom(seed_, streamOf(Purpose::kShuffle, epoch)).permutation(rows_);
    epoch_ = epoch;
  }
  return permutation_[place];
}

std::vector<int64_t> BatchOrder::rowsOf(int64_t step) {
  std::vector<int64_t> rows(batchSize_);
  for (int64_t i = 0; i < batchSize_; ++i) rows[i] = rowAt(step * batchSize_ + i);
  return rows;
}

namespace {

// Of the longest row, rounded up.
int64_t paddedLength(const TokenRows& rows, const std::vector<int64_t>& which, int64_t bucket) {
  int64_t longest = 0;
  for (const int64_t row : which) longest = std::max(longest, rows.length(row));
  return (longest + bucket - 1) / bucket * bucket;
}

}  // namespace

EncoderIds encoderIds(const TokenRows& inputs, const std::vector<int64_t>& which, const T5Config& config,
                      int64_t bucket) {
  const int64_t length = paddedLength(inputs, which, bucket);
  const auto batch = static_cast<int64_t>(which.size());
  at::Tensor ids = at::full({batch, length}, config.padTokenId, at::kLong);
  at::Tensor mask = at::zeros({batch, length}, at::kBool);
  int64_t* to = ids.mutable_data_ptr<int64_t>();
  bool* isReal = mask.mutable_data_ptr<bool>();
  for (const int64_t place : which) {
    const auto row = inputs.row(place);
    std::copy(row.begin(), row.end(), to);
    std::fill_n(isReal, row.size(), true);
    to += length;
    isReal += length;
  }
  return {ids, mask};
}

DecoderTargets decoderTargets(const TokenRows& targets, const std::vector<int64_t>& which, const T5Config& config,
                              int64_t bucket) {
  const int64_t length = paddedLength(targets, which, bucket);
  const auto batch = static_cast<int64_t>(which.size());
  at::Tensor decoderIds = at::full({batch, length}, config.padTokenId, at::kLong);
  int64_t* to = decoderIds.mutable_data_ptr<int64_t>();
  std::vector<int64_t> positions, ids;
  for (int64_t b = 0; b < batch; ++b, to += length) {
    const auto row = targets.row(which[b]);
    to[0] = config.decoderStartTokenId;
    std::copy(row.begin(), row.end() - 1, to + 1);
    for (size_t t = 0; t < row.size(); ++t) positions.push_back(b * length + static_cast<int64_t>(t));
    ids.insert(ids.end(), row.begin(), row.end());
  }
  return {decoderIds, at::tensor(positions, at::kLong), at::tensor(ids, at::kLong)};
}

}  // namespace softprompt
