#include "core/t5/fast_layers.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <utility>

#include "core/ops/activation.h"
#include "core/ops/dropout.h"
#include "core/ops/rms_norm.h"
#include "core/ops/weight_gradient.h"

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

// What comes back to x weight^T: the gradient, in the product's dtype, where `mask` dropped from it.
at::Tensor atProduct(const at::Tensor& gradient, const at::Tensor& weight, const at::Tensor& mask,
                     const Groups& groups) {
  if (!mask.defined()) return gradient.to(weight.scalar_type());
  const at::Tensor kept = gradient.clone();
  maskRows(kept, mask, groups);
  return kept.to(weight.scalar_type());
}

// The norm in front of a product, whose gradient at its input, [N, d], comes back; adds to that of the hidden.
void throughNorm(const at::Tensor& normed, const at::Tensor& hidden, const at::Tensor& inverse,
                 const at::Tensor& weight, const at::Tensor* sum, at::Tensor& gradient) {
  if (sum) addNormGradient(*sum, normed, hidden, inverse);
  rmsNormBackward(normed, hidden, weight, inverse, gradient);
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
  const at::Tensor context = std::exchange(attended.out, {});
  const at::Tensor out = withResidual(hidden, context, weights.o, masks.output, groups);
  if (state) {
    const bool learns = state->learns;
    *state = {hidden, normed.inverse, qkv, std::move(attended), learns, {}, {}};
    if (learns) state->normed = normed.value, state->context = context;
  }
  return out;
}

void FastLayers::selfAttentionBackward(at::Tensor& gradient, const SelfAttentionWeights& weights,
                                       const at::Tensor& bias, const Groups& groups, const AttentionMasks& masks,
                                       const SelfAttentionState& state, const SelfAttentionSums* sums) const {
  const at::Tensor output = atProduct(gradient, weights.o, masks.output, groups);
  const at::Tensor context = at::mm(output, weights.o);
  const at::Tensor qkv = softprompt::selfAttentionBackward(context, state.qkv, state.attended, groups, bias, shape_,
                                                           sums ? sums->distances : at::Tensor());
  maskValues(qkv, masks.values, shape_);
  if (sums) {
    addProductGradient(sums->weights.o, output, state.context);
    addProductGradient(sums->weights.qkv, qkv, state.normed);
  }
  throughNorm(at::mm(qkv, weights.qkv), state.hidden, state.inverse, weights.norm, sums ? &sums->weights.norm : nullptr,
              gradient);
}

at::Tensor FastLayers::crossAttention(const at::Tensor& hidden, const CrossAttentionWeights& weights,
                                      const at::Tensor& kv, const Groups& groups, int64_t queries,
                                      const AttentionMasks& masks, CrossAttentionState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor q = at::linear(normed.value, weights.q);
  maskValues(kv, masks.values, shape_);
  Attended attended = softprompt::crossAttention(q, kv, groups, queries, shape_);
  const at::Tensor context = std::exchange(attended.out, {});
  const at::Tensor out = withResidual(hidden, context, weights.o, masks.output, evenGroup(hidden.size(0), queries));
  if (state) {
    const bool learns = state->learns;
    *state = {hidden, normed.inverse, q, std::move(attended), learns, {}, {}};
    if (learns) state->normed = normed.value, state->context = context;
  }
  return out;
}

void FastLayers::crossAttentionBackward(at::Tensor& gradient, const CrossAttentionWeights& weights,
                                        const at::Tensor& kv, const Groups& groups, int64_t queries,
                                        const AttentionMasks& masks, const CrossAttentionState& state,
                                        const at::Tensor& kvGradient, const CrossAttentionWeights* sums) const {
  const at::Tensor output = atProduct(gradient, weights.o, masks.output, evenGroup(gradient.size(0), queries));
  const at::Tensor context = at::mm(output, weights.o);
  const at::Tensor q =
      softprompt::crossAttentionBackward(context, state.q, kv, state.attended, groups, queries, shape_, kvGradient);
  maskValues(kvGradient, masks.values, shape_);
  if (sums) {
    addProductGradient(sums->o, output, state.context);
    addProductGradient(sums->q, q, state.normed);
  }
  throughNorm(at::mm(q, weights.q), state.hidden, state.inverse, weights.norm, sums ? &sums->norm : nullptr, gradient);
}

at::Tensor FastLayers::feedForward(const at::Tensor& hidden, const FeedForwardWeights& weights, const Groups& groups,
                                   const FeedForwardMasks& masks, FeedForwardState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor wide = at::linear(normed.value, weights.wi);
  const at::Tensor inner = activate(feedForward_, wide);
  if (masks.inner.defined()) maskRows(inner, masks.inner, groups);
  const at::Tensor out = withResidual(hidden, inner, weights.wo, masks.output, groups);
  if (state) {
    const bool learns = state->learns;
    *state = {hidden, normed.inverse, wide, learns, {}, {}};
    if (learns) state->normed = normed.value, state->inner = inner;
  }
  return out;
}

void FastLayers::feedForwardBackward(at::Tensor& gradient, const FeedForwardWeights& weights, const Groups& groups,
                                     const FeedForwardMasks& masks, const FeedForwardState& state,
                                     const FeedForwardWeights* sums) const {
  const at::Tensor output = atProduct(gradient, weights.wo, masks.output, groups);
  const at::Tensor inner = at::mm(output, weights.wo);
  if (masks.inner.defined()) maskRows(inner, masks.inner, groups);
  const at::Tensor wide = activateBackward(feedForward_, inner, state.wide);
  if (sums) {
    addProductGradient(sums->wo, output, state.inner);
    addProductGradient(sums->wi, wide, state.normed);
  }
  throughNorm(at::mm(wide, weights.wi), state.hidden, state.inverse, weights.norm, sums ? &sums->norm : nullptr,
              gradient);
}

}  // namespace softprompt
