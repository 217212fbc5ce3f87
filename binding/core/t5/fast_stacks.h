// One pass through the encoder or the decoder: forward, and where it was kept, backward, with a pause between blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/t5/executor.h"
#include "core/t5/fast_layers.h"

namespace softprompt {

// What all passes of a model share.
struct FastModel {
  const T5Config config;
  const FusedWeights weights;
  const FastLayers layers;
};

// How a batch's rows lie end to end: N tokens of theirs, and behind these a few that are nobody's (copies of the first
// place's, without gradient), because the maths libraries keep a plan for each shape that they see.
struct Packing {
  std::vector<RowGroup> groups;
  at::Tensor order;    // int64 [B]: which row of the batch lies at each place
  at::Tensor places;   // int64 [N and more]: where each token is in the padded batch, b * S + s
  int64_t tokens = 0;  // N
  int64_t longest = 0;
  int64_t positions = 0;  // S of the padded batch
};

// Who will ask for gradients of a pass.
enum class Keeps { kNothing, kForInput, kForWeights };

// Where backward adds the gradients of a stack's weights.
struct StackSums {
  const FusedWeights& weights;
  std::vector<at::Tensor> distances;  // float32 [H, 2 S - 1] a block, of its bias; the same where blocks share one
};

class EncoderPass {
 public:
  // biases: [1, H, S, S] a block. `model` and what `pass` refers to outlive this.
  EncoderPass(const FastModel& model, std::vector<at::Tensor> biases, Packing packing, const Pass& pass, Keeps keeps);

  at::Tensor forward(at::Tensor hidden);  // float32 [N, d] -> [N, d] of the model's dtype
  // Of forward's result -> float32 [N, d]; sums: null unless it was kept for the weights.
  at::Tensor backward(const at::Tensor& gradient, const StackSums* sums = nullptr);

 private:
  struct Block {
    SelfAttentionState attention;
    FeedForwardState feedForward;
  };

  AttentionMasks attentionMasks(size_t block) const;
  FeedForwardMasks feedForwardMasks(size_t block) const;
  at::Tensor outputMask() const;

  const FastModel& model_;
  std::vector<at::Tensor> biases_;
  Packing packing_;
  YieldPoint& yieldPoint_;
  PackedMasks masks_;
  Keeps keeps_;
  std::vector<Block> blocks_;
  at::Tensor last_, inverse_;  // before the final norm
};

class DecoderPass {
 public:
  // biases: [1, H, T, T] a block, causal; `packing` is the encoder's.
  DecoderPass(const FastModel& model, std::vector<at::Tensor> biases, Packing packing, int64_t positions,
              const Pass& pass, Keeps keeps);

  struct Gradient {
    at::Tensor encoded;   // [N, d]
    at::Tensor embedded;  // float32 [B T, d], where it was kept for the weights
  };

  // hidden float32 [B T, d], encoded [N, d] of the model's dtype -> [B T, d] of it; rows in the packing's order.
  at::Tensor forward(at::Tensor hidden, const at::Tensor& encoded);
  Gradient backward(const at::Tensor& gradient, const StackSums* sums = nullptr);  // of forward's result

 private:
  struct Block {
    SelfAttentionState self;
    CrossAttentionState cross;
    FeedForwardState feedForward;
  };

  at::Tensor keysValues(const at::Tensor& all, size_t block) const;
  AttentionMasks selfMasks(size_t block) const;
  AttentionMasks crossMasks(size_t block) const;
  FeedForwardMasks feedForwardMasks(size_t block) const;
  at::Tensor outputMask() const;

  const FastModel& model_;
  std::vector<at::Tensor> biases_;
  Packing packing_;
  std::vector<RowGroup> ownGroup_;  // all rows, T long
  int64_t positions_;
  YieldPoint& yieldPoint_;
  PackedMasks masks_;
  Keeps keeps_;
  std::vector<Block> blocks_;
  at::Tensor keysValues_;  // [N, Ld 2 i]
  at::Tensor encoded_;     // where the weights learn
  at::Tensor last_, inverse_;
};

}  // namespace softprompt
