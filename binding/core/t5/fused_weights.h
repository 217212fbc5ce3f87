// The frozen weights as the fast executor multiplies by them: projections of one input lie side by side and go as one
// product. The module's own parameters become views of them, so that nothing is held twice.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/t5/config.h"

namespace torch::jit {
struct Module;
}

namespace softprompt {

struct FeedForwardWeights {
  at::Tensor norm;  // [d]
  at::Tensor wi;    // [ff, d], or wi_0 on wi_1: [2 ff, d]
  at::Tensor wo;    // [d, ff]
};

struct SelfAttentionWeights {
  at::Tensor norm;  // [d]
  at::Tensor qkv;   // [3 i, d]
  at::Tensor o;     // [d, i]
};

struct CrossAttentionWeights {
  at::Tensor norm;  // [d]
  at::Tensor q;     // [i, d]
  at::Tensor o;     // [d, i]
};

struct EncoderBlockWeights {
  SelfAttentionWeights self;
  FeedForwardWeights feedForward;
};

struct DecoderBlockWeights {
  SelfAttentionWeights self;
  CrossAttentionWeights cross;
  FeedForwardWeights feedForward;
};

struct FusedWeights {
  std::vector<EncoderBlockWeights> encoder;
  std::vector<DecoderBlockWeights> decoder;
  at::Tensor crossKeysValues;  // [Ld 2 i, d]: k on v, for one block of the decoder after the other
  at::Tensor encoderNorm, decoderNorm;
};

// Float32 zeros in the place of every weight: what their gradients are added to.
FusedWeights zerosLike(const FusedWeights& weights);

// Of two such sets, the tensor of `second` that lies as `tensor`, one of `first` or a view of some of its rows.
at::Tensor counterpart(const at::Tensor& tensor, const FusedWeights& first, const FusedWeights& second);

// Names of the parameters that lie side by side, group by group: read there, they need not be moved.
std::vector<std::vector<std::string>> fusedNames(const T5Config& config);

// Changes where the parameters of `module` (buildModule's) lie, where they do not lie so already, and not their values.
FusedWeights fuseWeights(const T5Config& config, torch::jit::Module& module);

}  // namespace softprompt
