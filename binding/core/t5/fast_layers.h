// The layers of a T5 block on tokens without padding, forward and backward. The residual stream is float32 whatever the
// weights' dtype. Where the weights are frozen a gradient flows to the input only, and no input of a product is kept;
// where they learn, the inputs are, and backward adds to the weights' gradients.
//
// Letters: N tokens of all rows, B rows, T decoder positions, d d_model, i heads x d_kv, ff d_ff.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/ops/attention.h"
#include "core/t5/config.h"
#include "core/t5/fused_weights.h"
#include "core/t5/packed_masks.h"

namespace softprompt {

// What backward needs of a layer: 2 d + 4 i + 2 ff numbers a token and encoder block in all.
struct SelfAttentionState {
  at::Tensor hidden, inverse;  // float32 [N, d], [N]
  at::Tensor qkv;              // [N, 3 i]
  Attended attended;
  // Where the weights learn, what the products read: [N, d], [N, i].
  bool learns = false;
  at::Tensor normed, context;
};

struct CrossAttentionState {
  at::Tensor hidden, inverse;  // float32 [B T, d], [B T]
  at::Tensor q;                // [B T, i]
  Attended attended;
  bool learns = false;
  at::Tensor normed, context;  // [B T, d], [B T, i]
};

struct FeedForwardState {
  at::Tensor hidden, inverse;  // float32 [N, d], [N]
  at::Tensor wide;             // [N, ff] or [N, 2 ff]
  bool learns = false;
  at::Tensor normed, inner;  // [N, d], [N, ff]
};

// Where backward adds the gradients of a self-attention: of its weights, and of its bias by distance (attention.h).
struct SelfAttentionSums {
  const SelfAttentionWeights& weights;
  at::Tensor distances;
};

class FastLayers {
 public:
  explicit FastLayers(const T5Config& config)
      : feedForward_(config.feedForward), epsilon_(config.layerNormEpsilon), shape_{config.numHeads, config.dKv} {}

  HeadShape shape() const { return shape_; }
  double epsilon() const { return epsilon_; }

  // hidden float32 [N, d] -> the same after the layer; `state` may be null where there will be no backward, and its
  // `learns` says what it has to keep.
  at::Tensor selfAttention(const at::Tensor& hidden, const SelfAttentionWeights& weights, const at::Tensor& bias,
                           const std::vector<RowGroup>& groups, const AttentionMasks& masks,
                           SelfAttentionState* state) const;
  // kv [N, 2 i]: where masks drop values, they are dropped in it.
  at::Tensor crossAttention(const at::Tensor& hidden, const CrossAttentionWeights& weights, const at::Tensor& kv,
                            const std::vector<RowGroup>& groups, int64_t queries, const AttentionMasks& masks,
                            CrossAttentionState* state) const;
  at::Tensor feedForward(const at::Tensor& hidden, const FeedForwardWeights& weights,
                         const std::vector<RowGroup>& groups, const FeedForwardMasks& masks,
                         FeedForwardState* state) const;

  // gradient float32 [N, d] of a layer's output; becomes that of its input. The masks are those of the way there.
  // `sums` (null: the weights are frozen) get the gradients of the weights.
  void selfAttentionBackward(at::Tensor& gradient, const SelfAttentionWeights& weights, const at::Tensor& bias,
                             const std::vector<RowGroup>& groups, const AttentionMasks& masks,
                             const SelfAttentionState& state, const SelfAttentionSums* sums = nullptr) const;
  void crossAttentionBackward(at::Tensor& gradient, const CrossAttentionWeights& weights, const at::Tensor& kv,
                              const std::vector<RowGroup>& groups, int64_t queries, const AttentionMasks& masks,
                              const CrossAttentionState& state, const at::Tensor& kvGradient,
                              const CrossAttentionWeights* sums = nullptr) const;
  void feedForwardBackward(at::Tensor& gradient, const FeedForwardWeights& weights, const std::vector<RowGroup>& groups,
                           const FeedForwardMasks& masks, const FeedForwardState& state,
                           const FeedForwardWeights* sums = nullptr) const;

 private:
  FeedForward feedForward_;
  double epsilon_;
  HeadShape shape_;
};

}  // namespace softprompt
