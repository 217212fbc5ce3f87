#include "core/t5/fused_weights.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>

#include <string>

namespace softprompt {
namespace {

torch::jit::Module at(torch::jit::Module module, std::initializer_list<const char*> path) {
  for (const char* name : path) module = module.attr(name).toModule();
  return module;
}

at::Tensor weightOf(const torch::jit::Module& module, std::initializer_list<const char*> path) {
  return at(module, path).attr("weight").toTensor();
}

bool lieEndToEnd(const std::vector<at::Tensor>& parts) {
  for (size_t i = 1; i < parts.size(); ++i) {
    const at::Tensor &before = parts[i - 1], &part = parts[i];
    if (!part.is_alias_of(before) || part.storage_offset() != before.storage_offset() + before.numel()) return false;
  }
  return true;
}

// One tensor of all rows; each of `parts` becomes its view of it.
at::Tensor stacked(const std::vector<at::Tensor>& parts) {
  int64_t rows = 0;
  for (const at::Tensor& part : parts) rows += part.size(0);
  if (lieEndToEnd(parts)) return parts[0].as_strided({rows, parts[0].size(1)}, parts[0].strides());
  at::Tensor all = at::empty({rows, parts[0].size(1)}, parts[0].options());
  int64_t row = 0;
  for (at::Tensor part : parts) {
    at::Tensor place = all.narrow(0, row, part.size(0));
    place.copy_(part);
    part.set_data(place);
    row += part.size(0);
  }
  return all;
}

SelfAttentionWeights selfAttention(const torch::jit::Module& block) {
  const torch::jit::Module layer = at(block, {"layer", "0"}), attention = at(layer, {"SelfAttention"});
  SelfAttentionWeights out;
  out.norm = weightOf(layer, {"layer_norm"});
  out.qkv = stacked({weightOf(attention, {"q"}), weightOf(attention, {"k"}), weightOf(attention, {"v"})});
  out.o = weightOf(attention, {"o"});
  return out;
}

FeedForwardWeights feedForward(const torch::jit::Module& block, const char* number, bool isGated) {
  const torch::jit::Module layer = at(block, {"layer", number}), dense = at(layer, {"DenseReluDense"});
  return {weightOf(layer, {"layer_norm"}),
          isGated ? stacked({weightOf(dense, {"wi_0"}), weightOf(dense, {"wi_1"})}) : weightOf(dense, {"wi"}),
          weightOf(dense, {"wo"})};
}

using Names = std::vector<std::string>;

Names under(const std::string& prefix, const std::vector<const char*>& names) {
  Names out;
  for (const char* name : names) out.push_back(prefix + name + ".weight");
  return out;
}

std::string blockPrefix(const char* stack, int64_t block) {
  return std::string(stack) + ".block." + std::to_string(block) + ".layer.";
}

template <class Weights, class Visit>
void visitEach(Weights& weights, const Visit& visit) {
  const auto feedForward = [&](auto& layer) { visit(layer.norm), visit(layer.wi), visit(layer.wo); };
  const auto self = [&](auto& layer) { visit(layer.norm), visit(layer.qkv), visit(layer.o); };
  for (auto& block : weights.encoder) self(block.self), feedForward(block.feedForward);
  for (auto& block : weights.decoder) {
    self(block.self);
    visit(block.cross.norm), visit(block.cross.q), visit(block.cross.o);
    feedForward(block.feedForward);
  }
  visit(weights.crossKeysValues), visit(weights.encoderNorm), visit(weights.decoderNorm);
}

std::vector<at::Tensor> tensorsOf(const FusedWeights& weights) {
  std::vector<at::Tensor> tensors;
  visitEach(weights, [&](const at::Tensor& tensor) { tensors.push_back(tensor); });
  return tensors;
}

}  // namespace

std::vector<Names> fusedNames(const T5Config& config) {
  std::vector<Names> out;
  const auto addBlock = [&](const std::string& prefix, const char* last) {
    out.push_back(under(prefix + "0.SelfAttention.", {"q", "k", "v"}));
    if (config.feedForward == FeedForward::kRelu) return;
    out.push_back(under(prefix + last + ".DenseReluDense.", {"wi_0", "wi_1"}));
  };
  Names keysValues;
  for (int64_t i = 0; i < config.numLayers; ++i) addBlock(blockPrefix("encoder", i), "1");
  for (int64_t i = 0; i < config.numDecoderLayers; ++i) {
    const std::string prefix = blockPrefix("decoder", i);
    addBlock(prefix, "2");
    for (std::string& name : under(prefix + "1.EncDecAttention.", {"k", "v"})) keysValues.push_back(std::move(name));
  }
  out.push_back(std::move(keysValues));
  return out;
}

FusedWeights fuseWeights(const T5Config& config, torch::jit::Module& module) {
  const c10::InferenceMode normal(false);
  const at::NoGradGuard noGrad;
  const bool isGated = config.feedForward != FeedForward::kRelu;
  FusedWeights out;
  for (int64_t i = 0; i < config.numLayers; ++i) {
    const auto block = at(module, {"encoder", "block", std::to_string(i).c_str()});
    out.encoder.push_back({selfAttention(block), feedForward(block, "1", isGated)});
  }
  std::vector<at::Tensor> keysValues;
  for (int64_t i = 0; i < config.numDecoderLayers; ++i) {
    const auto block = at(module, {"decoder", "block", std::to_string(i).c_str()});
    const auto layer = at(block, {"layer", "1"}), cross = at(layer, {"EncDecAttention"});
    keysValues.push_back(weightOf(cross, {"k"}));
    keysValues.push_back(weightOf(cross, {"v"}));
    out.decoder.push_back({selfAttention(block),
                           {weightOf(layer, {"layer_norm"}), weightOf(cross, {"q"}), weightOf(cross, {"o"})},
                           feedForward(block, "2", isGated)});
  }
  out.crossKeysValues = stacked(keysValues);
  out.encoderNorm = weightOf(module, {"encoder", "final_layer_norm"});
  out.decoderNorm = weightOf(module, {"decoder", "final_layer_norm"});
  return out;
}

FusedWeights zerosLike(const FusedWeights& weights) {
  FusedWeights zeros = weights;
  visitEach(zeros, [](at::Tensor& tensor) { tensor = at::zeros(tensor.sizes(), tensor.options().dtype(at::kFloat)); });
  return zeros;
}

at::Tensor counterpart(const at::Tensor& tensor, const FusedWeights& first, const FusedWeights& second) {
  const std::vector<at::Tensor> from = tensorsOf(first), to = tensorsOf(second);
  const auto* place = static_cast<const char*>(tensor.const_data_ptr());
  for (size_t i = 0; i < from.size(); ++i) {
    const auto* start = static_cast<const char*>(from[i].const_data_ptr());
    if (place < start || place >= start + from[i].nbytes()) continue;
    const int64_t offset = (place - start) / static_cast<int64_t>(tensor.itemsize());
    return to[i].flatten().narrow(0, offset, tensor.numel()).view(tensor.sizes());
  }
  return {};
}

}  // namespace softprompt
