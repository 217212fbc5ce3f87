#include "core/t5/fast_layers.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <utility>

#include "core/ops/activation.h"
#include "core/ops/dropout.h"
#include "core/ops/rms_norm.h"

namespace softprompt {
namespace {

using Groups = std::vector<RowGroup>;

// hidden + x weight^T, float32; `mask` [B, d] drops from the product, where it is defined.
at::Tensor withResidual(const at::Tensor& hidden, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& mask,
                        const Groups& groups) {
  if (!mask.defined() && weight.scalar_type() == at::kFloat) return at::addmm(hidden, x, weight.t());
  const at::Tensor product = at::linear(x, weight);
  if (mask.defined()) maskRows(product, mask, groups);
  return hidden.add(product);
}

// The gradient of x in x weight^T
at::Tensor throughProduct(const at::Tensor& gradient, const at::Tensor& weight) {
  return at::mm(gradient.to(weight.scalar_type()), weight);
}

// The same where `mask` dropped from the product.
at::Tensor throughProduct(const at::Tensor& gradient, const at::Tensor& weight, const at::Tensor& mask,
                          const Groups& groups) {
  if (!mask.defined()) return throughProduct(gradient, weight);
  const at::Tensor kept = gradient.clone();
  maskRows(kept, mask, groups);
  return throughProduct(kept, weight);
}

// Drops from the values, the last i columns of keys and values side by side.
void maskValues(const at::Tensor& keysValues, const at::Tensor& mask, HeadShape shape) {
  if (mask.defined()) maskHeads(keysValues.narrow(1, keysValues.size(1) - shape.inner(), shape.inner()), mask, shape);
}

// All rows, `length` tokens each.
Groups evenGroup(int64_t tokens, int64_t length) {
  return {{0, 0, tokens / length, length}};
}

}  // namespace

at::Tensor FastLayers::selfAttention(const at::Tensor& hidden, const SelfAttentionWeights& weights,
                                     const at::Tensor& bias, const Groups& groups, const AttentionMasks& masks,
                                     SelfAttentionState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor qkv = at::linear(normed.value, weights.qkv);
  maskValues(qkv, masks.values, shape_);
  Attended attended = softprompt::selfAttention(qkv, groups, bias, shape_);
  const at::Tensor out = withResidual(hidden, std::exchange(attended.out, {}), weights.o, masks.output, groups);
  if (state) *state = {hidden, normed.inverse, qkv, std::move(attended)};
  return out;
}

void FastLayers::selfAttentionBackward(at::Tensor& gradient, const SelfAttentionWeights& weights,
                                       const at::Tensor& bias, const Groups& groups, const AttentionMasks& masks,
                                       const SelfAttentionState& state) const {
  const at::Tensor context = throughProduct(gradient, weights.o, masks.output, groups);
  const at::Tensor qkv = softprompt::selfAttentionBackward(context, state.qkv, state.attended, groups, bias, shape_);
  maskValues(qkv, masks.values, shape_);
  rmsNormBackward(throughProduct(qkv, weights.qkv), state.hidden, weights.norm, state.inverse, gradient);
}

at::Tensor FastLayers::crossAttention(const at::Tensor& hidden, const CrossAttentionWeights& weights,
                                      const at::Tensor& kv, const Groups& groups, int64_t queries,
                                      const AttentionMasks& masks, CrossAttentionState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor q = at::linear(normed.value, weights.q);
  maskValues(kv, masks.values, shape_);
  Attended attended = softprompt::crossAttention(q, kv, groups, queries, shape_);
  const at::Tensor out = withResidual(hidden, std::exchange(attended.out, {}), weights.o, masks.output,
                                      evenGroup(hidden.size(0), queries));
  if (state) *state = {hidden, normed.inverse, q, std::move(attended)};
  return out;
}

void FastLayers::crossAttentionBackward(at::Tensor& gradient, const CrossAttentionWeights& weights,
                                        const at::Tensor& kv, const Groups& groups, int64_t queries,
                                        const AttentionMasks& masks, const CrossAttentionState& state,
                                        const at::Tensor& kvGradient) const {
  const at::Tensor context = throughProduct(gradient, weights.o, masks.output, evenGroup(gradient.size(0), queries));
  const at::Tensor q =
      softprompt::crossAttentionBackward(context, state.q, kv, state.attended, groups, queries, shape_, kvGradient);
  maskValues(kvGradient, masks.values, shape_);
  rmsNormBackward(throughProduct(q, weights.q), state.hidden, weights.norm, state.inverse, gradient);
}

at::Tensor FastLayers::feedForward(const at::Tensor& hidden, const FeedForwardWeights& weights, const Groups& groups,
                                   const FeedForwardMasks& masks, FeedForwardState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor wide = at::linear(normed.value, weights.wi);
  const at::Tensor inner = activate(feedForward_, wide);
  if (masks.inner.defined()) maskRows(inner, masks.inner, groups);
  const at::Tensor out = withResidual(hidden, inner, weights.wo, masks.output, groups);
  if (state) *state = {hidden, normed.inverse, wide};
  return out;
}

void FastLayers::feedForwardBackward(at::Tensor& gradient, const FeedForwardWeights& weights, const Groups& groups,
                                     const FeedForwardMasks& masks, const FeedForwardState& state) const {
  const at::Tensor inner = throughProduct(gradient, weights.wo, masks.output, groups);
  if (masks.inner.defined()) maskRows(inner, masks.inner, groups);
  const at::Tensor wide = activateBackward(feedForward_, inner, state.wide);
  rmsNormBackward(throughProduct(wide, weights.wi), state.hidden, weights.norm, state.inverse, gradient);
}

}  // namespace softprompt
