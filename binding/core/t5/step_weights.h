// What decoding steps multiply by: the fused weights as they lie, or in int8.
//
// Letters: d d_model, i heads x d_kv, ff d_ff, V vocabulary, Ld decoder blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "core/t5/fused_weights.h"

namespace softprompt {

struct StepMatrix {
  StepMatrix() = default;
  StepMatrix(at::Tensor all) : values(std::move(all)), columns(values.size(0)), depth(values.size(1)) {}

  at::Tensor values;  // [columns, depth] of float32 or bfloat16; or int8, in panels (ops/int8_product.h)
  at::Tensor scales;  // of int8 alone: float32 [int8Columns(columns)]
  at::Tensor sums;    // and int32, as many
  int64_t columns = 0, depth = 0;

  bool isInt8() const { return scales.defined(); }
};

struct StepBlockWeights {
  at::Tensor selfNorm;  // [d]
  StepMatrix qkv;       // [3 i, d]
  StepMatrix selfOut;   // [d, i]
  at::Tensor crossNorm;
  StepMatrix q;         // [i, d]
  StepMatrix crossOut;  // [d, i]
  at::Tensor wideNorm;
  StepMatrix wi;  // [ff, d], or wi_0 on wi_1: [2 ff, d]
  StepMatrix wo;  // [d, ff]
};

struct StepWeights {
  std::vector<StepBlockWeights> blocks;
  StepMatrix crossKeysValues;  // [Ld 2 i, d]
  at::Tensor norm;             // [d]
  at::Tensor embedding;        // [V, d]
  StepMatrix head;             // [V, d]
};

// `module` (buildModule's) has the embedding and the head.
StepWeights stepWeightsOf(const FusedWeights& weights, const torch::jit::Module& module);

// The same with matrices in int8; the embedding and the norms stay as they are.
StepWeights inInt8(const StepWeights& weights);

// All matrices by names of their own, for sizes and digests.
std::vector<std::pair<std::string, at::Tensor>> matricesOf(const StepWeights& weights);

}  // namespace softprompt
