#include "core/t5/fast_stacks.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>

#include "core/ops/rms_norm.h"

namespace softprompt {
namespace {

at::Tensor finish(const FastModel& model, const at::Tensor& hidden, const at::Tensor& weight, bool keeps,
                  at::Tensor& last, at::Tensor& inverse) {
  const Normed normed = rmsNorm(hidden, weight, model.layers.epsilon());
  if (keeps) {
    last = hidden;
    inverse = normed.inverse;
  }
  return normed.value;
}

at::Tensor finishBackward(const at::Tensor& gradient, const at::Tensor& weight, const at::Tensor& last,
                          const at::Tensor& inverse) {
  at::Tensor out = at::zeros_like(last);
  rmsNormBackward(gradient.contiguous().to(weight.scalar_type()), last, weight, inverse, out);
  return out;
}

}  // namespace

EncoderPass::EncoderPass(const FastModel& model, std::vector<at::Tensor> biases, Packing packing,
                         YieldPoint& yieldPoint, bool keeps)
    : model_(model), biases_(std::move(biases)), packing_(std::move(packing)), yieldPoint_(yieldPoint), keeps_(keeps) {}

at::Tensor EncoderPass::forward(at::Tensor hidden) {
  const FastLayers& layers = model_.layers;
  for (size_t i = 0; i < model_.weights.encoder.size(); ++i) {
    yieldPoint_.pause();
    const EncoderBlockWeights& weights = model_.weights.encoder[i];
    Block block;
    hidden =
        layers.selfAttention(hidden, weights.self, biases_[i], packing_.groups, keeps_ ? &block.attention : nullptr);
    hidden = layers.feedForward(hidden, weights.feedForward, keeps_ ? &block.feedForward : nullptr);
    if (keeps_) blocks_.push_back(std::move(block));
  }
  yieldPoint_.pause();
  return finish(model_, hidden, model_.weights.encoderNorm, keeps_, last_, inverse_);
}

at::Tensor EncoderPass::backward(const at::Tensor& gradient) {
  const FastLayers& layers = model_.layers;
  yieldPoint_.pause();
  at::Tensor out = finishBackward(gradient, model_.weights.encoderNorm, last_, inverse_);
  for (size_t i = blocks_.size(); i-- > 0;) {
    yieldPoint_.pause();
    const EncoderBlockWeights& weights = model_.weights.encoder[i];
    layers.feedForwardBackward(out, weights.feedForward, blocks_[i].feedForward);
    layers.selfAttentionBackward(out, weights.self, biases_[i], packing_.groups, blocks_[i].attention);
    blocks_.pop_back();
  }
  return out;
}

DecoderPass::DecoderPass(const FastModel& model, std::vector<at::Tensor> biases, Packing packing, int64_t positions,
                         YieldPoint& yieldPoint, bool keeps)
    : model_(model),
      biases_(std::move(biases)),
      packing_(std::move(packing)),
      ownGroup_{{0, 0, packing_.order.size(0), positions}},
      positions_(positions),
      yieldPoint_(yieldPoint),
      keeps_(keeps) {}

at::Tensor DecoderPass::keysValues(const at::Tensor& all, size_t block) const {
  const int64_t width = 2 * model_.layers.shape().inner();
  return all.narrow(1, static_cast<int64_t>(block) * width, width);
}

at::Tensor DecoderPass::forward(at::Tensor hidden, const at::Tensor& encoded) {
  const FastLayers& layers = model_.layers;
  keysValues_ = at::linear(encoded, model_.weights.crossKeysValues);
  for (size_t i = 0; i < model_.weights.decoder.size(); ++i) {
    yieldPoint_.pause();
    const DecoderBlockWeights& weights = model_.weights.decoder[i];
    Block block;
    hidden = layers.selfAttention(hidden, weights.self, biases_[i], ownGroup_, keeps_ ? &block.self : nullptr);
    hidden = layers.crossAttention(hidden, weights.cross, keysValues(keysValues_, i), packing_.groups, positions_,
                                   keeps_ ? &block.cross : nullptr);
    hidden = layers.feedForward(hidden, weights.feedForward, keeps_ ? &block.feedForward : nullptr);
    if (keeps_) blocks_.push_back(std::move(block));
  }
  yieldPoint_.pause();
  return finish(model_, hidden, model_.weights.decoderNorm, keeps_, last_, inverse_);
}

at::Tensor DecoderPass::backward(const at::Tensor& gradient) {
  const FastLayers& layers = model_.layers;
  yieldPoint_.pause();
  at::Tensor out = finishBackward(gradient, model_.weights.decoderNorm, last_, inverse_);
  const at::Tensor keysValuesGradient = at::empty_like(keysValues_);
  for (size_t i = blocks_.size(); i-- > 0;) {
    yieldPoint_.pause();
    const DecoderBlockWeights& weights = model_.weights.decoder[i];
    layers.feedForwardBackward(out, weights.feedForward, blocks_[i].feedForward);
    layers.crossAttentionBackward(out, weights.cross, keysValues(keysValues_, i), packing_.groups, positions_,
                                  blocks_[i].cross, keysValues(keysValuesGradient, i));
    // What goes into the first block is an embedding of ids: nobody asks for its gradient.
    if (i > 0) layers.selfAttentionBackward(out, weights.self, biases_[i], ownGroup_, blocks_[i].self);
    blocks_.pop_back();
  }
  return at::mm(keysValuesGradient, model_.weights.crossKeysValues);
}

}  // namespace softprompt
