#include "core/t5/step_weights.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>

#include "core/ops/int8_product.h"

namespace softprompt {
namespace {

StepMatrix inInt8(const StepMatrix& matrix) {
  const int64_t columns = int8Columns(matrix.columns), depth = matrix.depth;
  StepMatrix out = matrix;
  out.values = at::empty({columns, int8Depth(depth)}, at::kChar);
  out.scales = at::empty({columns}, at::kFloat);
  out.sums = at::empty({columns}, at::kInt);
  for (int64_t from = 0; from < matrix.columns; from += kInt8Panel) {
    const int64_t some = std::min(kInt8Panel, matrix.columns - from);
    const at::Tensor part = matrix.values.narrow(0, from, some).to(at::kFloat).contiguous();
    panelToInt8(part.const_data_ptr<float>(), some, depth,
                out.values.mutable_data_ptr<int8_t>() + from * int8Depth(depth),
                out.scales.mutable_data_ptr<float>() + from, out.sums.mutable_data_ptr<int32_t>() + from);
  }
  return out;
}

at::Tensor embeddingOf(const torch::jit::Module& module) {
  return module.attr("shared").toModule().attr("weight").toTensor();
}

template <class Visit>
void eachMatrix(const StepWeights& weights, const Visit& visit) {
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    const StepBlockWeights& block = weights.blocks[i];
    const std::string name = "decoder.block." + std::to_string(i) + ".";
    visit(name + "qkv", block.qkv);
    visit(name + "self_out", block.selfOut);
    visit(name + "q", block.q);
    visit(name + "cross_out", block.crossOut);
    visit(name + "wi", block.wi);
    visit(name + "wo", block.wo);
  }
  visit("decoder.cross_keys_values", weights.crossKeysValues);
  visit("head", weights.head);
}

}  // namespace

StepWeights stepWeightsOf(const FusedWeights& weights, const torch::jit::Module& module) {
  StepWeights out;
  for (const DecoderBlockWeights& block : weights.decoder)
    out.blocks.push_back({block.self.norm, block.self.qkv, block.self.o, block.cross.norm, block.cross.q, block.cross.o,
                          block.feedForward.norm, block.feedForward.wi, block.feedForward.wo});
  out.crossKeysValues = weights.crossKeysValues;
  out.norm = weights.decoderNorm;
  out.embedding = embeddingOf(module);
  out.head = module.hasattr("lm_head") ? module.attr("lm_head").toModule().attr("weight").toTensor() : out.embedding;
  return out;
}

StepWeights inInt8(const StepWeights& weights) {
  StepWeights out;
  for (const StepBlockWeights& block : weights.blocks)
    out.blocks.push_back({block.selfNorm, inInt8(block.qkv), inInt8(block.selfOut), block.crossNorm, inInt8(block.q),
                          inInt8(block.crossOut), block.wideNorm, inInt8(block.wi), inInt8(block.wo)});
  out.crossKeysValues = inInt8(weights.crossKeysValues);
  out.norm = weights.norm;
  out.embedding = weights.embedding;
  out.head = inInt8(weights.head);
  return out;
}

std::vector<std::pair<std::string, at::Tensor>> matricesOf(const StepWeights& weights) {
  std::vector<std::pair<std::string, at::Tensor>> out;
  eachMatrix(weights, [&](const std::string& name, const StepMatrix& matrix) {
    out.emplace_back(name, matrix.values);
    if (!matrix.isInt8()) return;
    out.emplace_back(name + ".scales", matrix.scales);
    out.emplace_back(name + ".sums", matrix.sums);
  });
  return out;
}

}  // namespace softprompt
