#include "small_executor.h"

#include <ATen/ops/cumsum.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <random>

namespace check {
namespace {

struct SmallCache final : softprompt::DecoderCache {
  softprompt::Encoded encoded;
  at::Tensor state;  // [B, d]
  void select(const at::Tensor& rows) override {
    encoded = {encoded.hidden.index_select(0, rows), encoded.mask.index_select(0, rows)};
    state = state.index_select(0, rows);
  }
};

at::Tensor startState(const softprompt::Encoded& encoded) {
  return at::zeros({encoded.hidden.size(0), encoded.hidden.size(2)}, encoded.hidden.options());
}

}  // namespace

at::Tensor uniform(std::mt19937& random, at::IntArrayRef shape, double scale) {
  at::Tensor values = at::empty(shape, at::kFloat);
  float* out = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = static_cast<float>((random() / 4294967296.0 * 2 - 1) * scale);
  return values;
}

std::vector<softprompt::Generation> firsts(const std::vector<std::vector<softprompt::Generation>>& answers) {
  std::vector<softprompt::Generation> firsts;
  for (const auto& row : answers) firsts.push_back(row.at(0));
  return firsts;
}

SmallExecutor::SmallExecutor(uint64_t seed, at::ScalarType dtype) {
  config_.dModel = 8;
  config_.vocabSize = 24;
  std::mt19937 random(static_cast<uint32_t>(seed));
  embedding_ = uniform(random, {config_.vocabSize, config_.dModel}, 1.5).to(dtype);
  mix_ = uniform(random, {config_.dModel, config_.dModel}, 1.0).to(dtype);
  head_ = uniform(random, {config_.vocabSize, config_.dModel}, 1.5).to(dtype);
}

at::Tensor SmallExecutor::embed(const at::Tensor& ids) {
  return at::embedding(embedding_, ids);
}

softprompt::Encoded SmallExecutor::encode(const at::Tensor& embeds, const at::Tensor& mask, softprompt::Pass& pass) {
  pass.yieldPoint.pause();
  encoded += embeds.size(0);
  // A running sum makes the order of positions matter; what is padding stays full of it.
  return {at::tanh(at::linear(at::cumsum(embeds, 1).mul(0.3).add(embeds), mix_)), mask};
}

at::Tensor SmallExecutor::next(const at::Tensor& ids, const at::Tensor& state, const softprompt::Encoded& encoded) {
  const at::Tensor query = at::tanh(embed(ids).add(at::linear(state, mix_)));                  // [B, d]
  const at::Tensor scores = at::matmul(encoded.hidden, query.unsqueeze(2)).squeeze(2).mul(2);  // [B, S]
  const at::Tensor weights =
      at::softmax(scores.masked_fill(encoded.mask.logical_not(), -std::numeric_limits<double>::infinity()), 1);
  return at::tanh(query.add(at::matmul(weights.unsqueeze(1), encoded.hidden).squeeze(1)));
}

at::Tensor SmallExecutor::decode(const at::Tensor& ids, const softprompt::Encoded& encoded, softprompt::Pass& pass) {
  pass.yieldPoint.pause();
  at::Tensor state = startState(encoded);
  std::vector<at::Tensor> hidden;
  for (int64_t t = 0; t < ids.size(1); ++t) hidden.push_back(state = next(ids.select(1, t), state, encoded));
  return at::stack(hidden, 1);
}

at::Tensor SmallExecutor::logits(const at::Tensor& decoderHidden) {
  return at::linear(decoderHidden, head_);
}

std::unique_ptr<softprompt::DecoderCache> SmallExecutor::startCache(const softprompt::Encoded& encoded,
                                                                    softprompt::Pass& pass) {
  auto cache = std::make_unique<SmallCache>();
  cache->encoded = encoded;
  cache->state = startState(encoded);
  return cache;
}

at::Tensor SmallExecutor::step(const at::Tensor& ids, softprompt::DecoderCache& cache, softprompt::Pass& pass) {
  auto& small = static_cast<SmallCache&>(cache);
  stepped += ids.size(0);
  return small.state = next(ids, small.state, small.encoded);
}

}  // namespace check
