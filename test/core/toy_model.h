// A very small differentiable Executor for tests of what surrounds a model: one head over tanh of the decoder's
// embedding plus the mean of the encoder's real positions.
#pragma once

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tanh.h>

#include <functional>
#include <utility>
#include <vector>

#include "core/runtime/random.h"
#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"

namespace softprompt {

class ToyModel final : public Executor {
 public:
  explicit ToyModel(int64_t dModel = 6, int64_t vocabSize = 20) {
    config_.dModel = dModel;
    config_.vocabSize = vocabSize;
    embedding_ = CounterRandom(1, 0).uniformTensor({vocabSize, dModel}, -1, 1);
    head_ = CounterRandom(1, 1).uniformTensor({vocabSize, dModel}, -1, 1);
  }

  const T5Config& config() const override { return config_; }
  at::ScalarType dtype() const override { return at::kFloat; }
  at::Device device() const override { return at::kCPU; }
  at::Tensor embed(const at::Tensor& ids) override { return at::embedding(embedding_, ids); }
  Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) override {
    pass.yieldPoint.pause();
    if (!pass.dropout) return {embeds, mask};
    return {embeds.mul(pass.dropout->mask(0, {embeds.size(0), 1, embeds.size(2)})), mask};
  }
  at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) override {
    pass.yieldPoint.pause();
    const at::Tensor real = encoded.mask.to(at::kFloat).unsqueeze(2);
    const at::Tensor mean = encoded.hidden.mul(real).sum(1, true).div(real.sum(1, true));
    return at::tanh(embed(ids).add(mean));
  }
  at::Tensor logits(const at::Tensor& decoderHidden) override { return at::linear(decoderHidden, head_); }
  std::unique_ptr<DecoderCache> startCache(const Encoded&, Pass&) override { return nullptr; }
  at::Tensor step(const at::Tensor&, DecoderCache&, Pass&) override { return {}; }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    return {{"shared.weight", embedding_}, {"lm_head.weight", head_}};
  }

 private:
  T5Config config_;
  at::Tensor embedding_, head_;
};

// Does `action` at the pause number `at` (from 0), nothing at the others.
class ActsAt final : public YieldPoint {
 public:
  ActsAt(int64_t at, std::function<void()> action) : at_(at), action_(std::move(action)) {}
  void pause() override {
    if (pauses_++ == at_) action_();
  }

 private:
  int64_t at_;
  int64_t pauses_ = 0;
  std::function<void()> action_;
};

inline TokenRows rowsOf(const std::vector<std::vector<int32_t>>& rows) {
  TokenRows result;
  for (const auto& row : rows) result.append(row);
  return result;
}

}  // namespace softprompt
