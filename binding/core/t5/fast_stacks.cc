#include "core/t5/fast_stacks.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>

#include <optional>

#include "core/ops/dropout.h"
#include "core/ops/rms_norm.h"
#include "core/ops/weight_gradient.h"

namespace softprompt {
namespace {

// The sites of a stack, in the plain executor's order: what goes in, each block's, what comes out.
constexpr int64_t kInput = 0, kFirstBlock = 1;
constexpr int64_t kEncoderSites = 4;  // a block: values, their output, inside the feed-forward, its output
constexpr int64_t kDecoderSites = 6;  // the same for self- and cross-attention, then the feed-forward

int64_t siteOf(size_t block, int64_t sites, int64_t place) {
  return kFirstBlock + static_cast<int64_t>(block) * sites + place;
}

void drop(const at::Tensor& tokens, const at::Tensor& mask, const std::vector<RowGroup>& groups) {
  if (mask.defined()) maskRows(tokens, mask, groups);
}

// A gradient of our own to change in place: float32 or the weights' dtype, contiguous.
at::Tensor droppedGradient(const at::Tensor& gradient, const at::Tensor& mask, const std::vector<RowGroup>& groups) {
  if (!mask.defined()) return gradient;
  const at::Tensor own = gradient.clone(at::MemoryFormat::Contiguous);
  maskRows(own, mask, groups);
  return own;
}

at::Tensor finish(const FastModel& model, const at::Tensor& hidden, const at::Tensor& weight, Keeps keeps,
                  at::Tensor& last, at::Tensor& inverse) {
  const Normed normed = rmsNorm(hidden, weight, model.layers.epsilon());
  if (keeps != Keeps::kNothing) {
    last = hidden;
    inverse = normed.inverse;
  }
  return normed.value;
}

at::Tensor finishBackward(const at::Tensor& gradient, const at::Tensor& weight, const at::Tensor& last,
                          const at::Tensor& inverse, const at::Tensor* sum) {
  at::Tensor out = at::zeros_like(last);
  const at::Tensor own = gradient.contiguous().to(weight.scalar_type());
  if (sum) addNormGradient(*sum, own, last, inverse);
  rmsNormBackward(own, last, weight, inverse, out);
  return out;
}

// Of block `i`, where the weights learn.
template <class BlockWeights>
std::optional<SelfAttentionSums> selfSumsOf(const BlockWeights* to, const StackSums* sums, size_t i) {
  if (!to) return std::nullopt;
  return SelfAttentionSums{to->self, sums->distances[i]};
}

}  // namespace

EncoderPass::EncoderPass(const FastModel& model, std::vector<at::Tensor> biases, Packing packing, const Pass& pass,
                         Keeps keeps)
    : model_(model),
      biases_(std::move(biases)),
      packing_(std::move(packing)),
      yieldPoint_(pass.yieldPoint),
      masks_(pass.dropout, 0, packing_.order),
      keeps_(keeps) {}

AttentionMasks EncoderPass::attentionMasks(size_t block) const {
  return {masks_.ofHeads(siteOf(block, kEncoderSites, 0), model_.config.numHeads, packing_.positions, packing_.places),
          masks_.ofRows(siteOf(block, kEncoderSites, 1), model_.config.dModel)};
}

FeedForwardMasks EncoderPass::feedForwardMasks(size_t block) const {
  return {masks_.ofRows(siteOf(block, kEncoderSites, 2), model_.config.dFf),
          masks_.ofRows(siteOf(block, kEncoderSites, 3), model_.config.dModel)};
}

at::Tensor EncoderPass::forward(at::Tensor hidden) {
  const FastLayers& layers = model_.layers;
  if (masks_.isOn()) hidden = hidden.clone();
  drop(hidden, masks_.ofRows(kInput, model_.config.dModel), packing_.groups);
  for (size_t i = 0; i < model_.weights.encoder.size(); ++i) {
    yieldPoint_.pause();
    const EncoderBlockWeights& weights = model_.weights.encoder[i];
    Block block;
    block.attention.learns = block.feedForward.learns = keeps_ == Keeps::kForWeights;
    const bool keeps = keeps_ != Keeps::kNothing;
    hidden = layers.selfAttention(hidden, weights.self, biases_[i], packing_.groups, attentionMasks(i),
                                  keeps ? &block.attention : nullptr);
    hidden = layers.feedForward(hidden, weights.feedForward, packing_.groups, feedForwardMasks(i),
                                keeps ? &block.feedForward : nullptr);
    if (keeps) blocks_.push_back(std::move(block));
  }
  yieldPoint_.pause();
  const at::Tensor out = finish(model_, hidden, model_.weights.encoderNorm, keeps_, last_, inverse_);
  drop(out, outputMask(), packing_.groups);
  return out;
}

at::Tensor EncoderPass::outputMask() const {
  return masks_.ofRows(siteOf(model_.weights.encoder.size(), kEncoderSites, 0), model_.config.dModel);
}

at::Tensor EncoderPass::backward(const at::Tensor& gradient, const StackSums* sums) {
  const FastLayers& layers = model_.layers;
  yieldPoint_.pause();
  at::Tensor out = finishBackward(droppedGradient(gradient, outputMask(), packing_.groups), model_.weights.encoderNorm,
                                  last_, inverse_, sums ? &sums->weights.encoderNorm : nullptr);
  for (size_t i = blocks_.size(); i-- > 0;) {
    yieldPoint_.pause();
    const EncoderBlockWeights& weights = model_.weights.encoder[i];
    const EncoderBlockWeights* to = sums ? &sums->weights.encoder[i] : nullptr;
    layers.feedForwardBackward(out, weights.feedForward, packing_.groups, feedForwardMasks(i), blocks_[i].feedForward,
                               to ? &to->feedForward : nullptr);
    const auto selfSums = selfSumsOf(to, sums, i);
    layers.selfAttentionBackward(out, weights.self, biases_[i], packing_.groups, attentionMasks(i),
                                 blocks_[i].attention, selfSums ? &*selfSums : nullptr);
    blocks_.pop_back();
  }
  drop(out, masks_.ofRows(kInput, model_.config.dModel), packing_.groups);
  return out;
}

DecoderPass::DecoderPass(const FastModel& model, std::vector<at::Tensor> biases, Packing packing, int64_t positions,
                         const Pass& pass, Keeps keeps)
    : model_(model),
      biases_(std::move(biases)),
      packing_(std::move(packing)),
      ownGroup_{{0, 0, packing_.order.size(0), positions}},
      positions_(positions),
      yieldPoint_(pass.yieldPoint),
      masks_(pass.dropout, siteOf(model.weights.encoder.size(), kEncoderSites, 1), packing_.order),
      keeps_(keeps) {}

AttentionMasks DecoderPass::selfMasks(size_t block) const {
  return {masks_.ofHeads(siteOf(block, kDecoderSites, 0), model_.config.numHeads, positions_),
          masks_.ofRows(siteOf(block, kDecoderSites, 1), model_.config.dModel)};
}

AttentionMasks DecoderPass::crossMasks(size_t block) const {
  return {masks_.ofHeads(siteOf(block, kDecoderSites, 2), model_.config.numHeads, packing_.positions, packing_.places),
          masks_.ofRows(siteOf(block, kDecoderSites, 3), model_.config.dModel)};
}

FeedForwardMasks DecoderPass::feedForwardMasks(size_t block) const {
  return {masks_.ofRows(siteOf(block, kDecoderSites, 4), model_.config.dFf),
          masks_.ofRows(siteOf(block, kDecoderSites, 5), model_.config.dModel)};
}

at::Tensor DecoderPass::outputMask() const {
  return masks_.ofRows(siteOf(model_.weights.decoder.size(), kDecoderSites, 0), model_.config.dModel);
}

at::Tensor DecoderPass::keysValues(const at::Tensor& all, size_t block) const {
  const int64_t width = 2 * model_.layers.shape().inner();
  return all.narrow(1, static_cast<int64_t>(block) * width, width);
}

at::Tensor DecoderPass::forward(at::Tensor hidden, const at::Tensor& encoded) {
  const FastLayers& layers = model_.layers;
  keysValues_ = at::linear(encoded, model_.weights.crossKeysValues);
  if (keeps_ == Keeps::kForWeights) encoded_ = encoded;
  const bool keeps = keeps_ != Keeps::kNothing;
  drop(hidden, masks_.ofRows(kInput, model_.config.dModel), ownGroup_);
  for (size_t i = 0; i < model_.weights.decoder.size(); ++i) {
    yieldPoint_.pause();
    const DecoderBlockWeights& weights = model_.weights.decoder[i];
    Block block;
    block.self.learns = block.cross.learns = block.feedForward.learns = keeps_ == Keeps::kForWeights;
    hidden =
        layers.selfAttention(hidden, weights.self, biases_[i], ownGroup_, selfMasks(i), keeps ? &block.self : nullptr);
    hidden = layers.crossAttention(hidden, weights.cross, keysValues(keysValues_, i), packing_.groups, positions_,
                                   crossMasks(i), keeps ? &block.cross : nullptr);
    hidden = layers.feedForward(hidden, weights.feedForward, ownGroup_, feedForwardMasks(i),
                                keeps ? &block.feedForward : nullptr);
    if (keeps) blocks_.push_back(std::move(block));
  }
  yieldPoint_.pause();
  const at::Tensor out = finish(model_, hidden, model_.weights.decoderNorm, keeps_, last_, inverse_);
  drop(out, outputMask(), ownGroup_);
  return out;
}

DecoderPass::Gradient DecoderPass::backward(const at::Tensor& gradient, const StackSums* sums) {
  const FastLayers& layers = model_.layers;
  yieldPoint_.pause();
  at::Tensor out = finishBackward(droppedGradient(gradient, outputMask(), ownGroup_), model_.weights.decoderNorm, last_,
                                  inverse_, sums ? &sums->weights.decoderNorm : nullptr);
  const at::Tensor keysValuesGradient = at::empty_like(keysValues_);
  for (size_t i = blocks_.size(); i-- > 0;) {
    yieldPoint_.pause();
    const DecoderBlockWeights& weights = model_.weights.decoder[i];
    const DecoderBlockWeights* to = sums ? &sums->weights.decoder[i] : nullptr;
    layers.feedForwardBackward(out, weights.feedForward, ownGroup_, feedForwardMasks(i), blocks_[i].feedForward,
                               to ? &to->feedForward : nullptr);
    layers.crossAttentionBackward(out, weights.cross, keysValues(keysValues_, i), packing_.groups, positions_,
                                  crossMasks(i), blocks_[i].cross, keysValues(keysValuesGradient, i),
                                  to ? &to->cross : nullptr);
    // What goes into the first block is an embedding of ids: where it is frozen, nobody asks for its gradient.
    if (i > 0 || sums) {
      const auto selfSums = selfSumsOf(to, sums, i);
      layers.selfAttentionBackward(out, weights.self, biases_[i], ownGroup_, selfMasks(i), blocks_[i].self,
                                   selfSums ? &*selfSums : nullptr);
    }
    blocks_.pop_back();
  }
  const at::Tensor encoded = at::mm(keysValuesGradient, model_.weights.crossKeysValues);
  if (!sums) return {encoded, {}};
  addProductGradient(sums->weights.crossKeysValues, keysValuesGradient, encoded_);
  drop(out, masks_.ofRows(kInput, model_.config.dModel), ownGroup_);
  return {encoded, out};
}

}  // namespace softprompt
