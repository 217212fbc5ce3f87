#include "core/t5/fast_layers.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <utility>

#include "core/ops/activation.h"
#include "core/ops/rms_norm.h"

namespace softprompt {
namespace {

// hidden + x weight^T, float32
at::Tensor withResidual(const at::Tensor& hidden, const at::Tensor& x, const at::Tensor& weight) {
  if (weight.scalar_type() == at::kFloat) return at::addmm(hidden, x, weight.t());
  return hidden.add(at::linear(x, weight));
}

// The gradient of x in x weight^T
at::Tensor throughProduct(const at::Tensor& gradient, const at::Tensor& weight) {
  return at::mm(gradient.to(weight.scalar_type()), weight);
}

}  // namespace

at::Tensor FastLayers::selfAttention(const at::Tensor& hidden, const SelfAttentionWeights& weights,
                                     const at::Tensor& bias, const std::vector<RowGroup>& groups,
                                     SelfAttentionState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor qkv = at::linear(normed.value, weights.qkv);
  Attended attended = softprompt::selfAttention(qkv, groups, bias, shape_);
  const at::Tensor out = withResidual(hidden, std::exchange(attended.out, {}), weights.o);
  if (state) *state = {hidden, normed.inverse, qkv, std::move(attended)};
  return out;
}

void FastLayers::selfAttentionBackward(at::Tensor& gradient, const SelfAttentionWeights& weights,
                                       const at::Tensor& bias, const std::vector<RowGroup>& groups,
                                       const SelfAttentionState& state) const {
  const at::Tensor context = throughProduct(gradient, weights.o);
  const at::Tensor qkv = softprompt::selfAttentionBackward(context, state.qkv, state.attended, groups, bias, shape_);
  rmsNormBackward(throughProduct(qkv, weights.qkv), state.hidden, weights.norm, state.inverse, gradient);
}

at::Tensor FastLayers::crossAttention(const at::Tensor& hidden, const CrossAttentionWeights& weights,
                                      const at::Tensor& kv, const std::vector<RowGroup>& groups, int64_t queries,
                                      CrossAttentionState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor q = at::linear(normed.value, weights.q);
  Attended attended = softprompt::crossAttention(q, kv, groups, queries, shape_);
  const at::Tensor out = withResidual(hidden, std::exchange(attended.out, {}), weights.o);
  if (state) *state = {hidden, normed.inverse, q, std::move(attended)};
  return out;
}

void FastLayers::crossAttentionBackward(at::Tensor& gradient, const CrossAttentionWeights& weights,
                                        const at::Tensor& kv, const std::vector<RowGroup>& groups, int64_t queries,
                                        const CrossAttentionState& state, const at::Tensor& kvGradient) const {
  const at::Tensor context = throughProduct(gradient, weights.o);
  const at::Tensor q =
      softprompt::crossAttentionBackward(context, state.q, kv, state.attended, groups, queries, shape_, kvGradient);
  rmsNormBackward(throughProduct(q, weights.q), state.hidden, weights.norm, state.inverse, gradient);
}

at::Tensor FastLayers::feedForward(const at::Tensor& hidden, const FeedForwardWeights& weights,
                                   FeedForwardState* state) const {
  const Normed normed = rmsNorm(hidden, weights.norm, epsilon_);
  const at::Tensor wide = at::linear(normed.value, weights.wi);
  const at::Tensor out = withResidual(hidden, activate(feedForward_, wide), weights.wo);
  if (state) *state = {hidden, normed.inverse, wide};
  return out;
}

void FastLayers::feedForwardBackward(at::Tensor& gradient, const FeedForwardWeights& weights,
                                     const FeedForwardState& state) const {
  const at::Tensor inner = throughProduct(gradient, weights.wo);
  const at::Tensor wide = activateBackward(feedForward_, inner, state.wide);
  rmsNormBackward(throughProduct(wide, weights.wi), state.hidden, weights.norm, state.inverse, gradient);
}

}  // namespace softprompt
