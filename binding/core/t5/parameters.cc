#include "core/t5/parameters.h"

namespace softprompt {
namespace {

class Specs {
 public:
  explicit Specs(const T5Config& config) : config_(config) {}

  std::vector<ParameterSpec> all() {
    add("shared", {config_.vocabSize, config_.dModel});
    stack("encoder.", config_.numLayers, false);
    stack("decoder.", config_.numDecoderLayers, true);
    return std::move(specs_);
  }

 private:
  void add(const std::string& name, std::vector<int64_t> shape) {
    specs_.push_back({name + ".weight", std::move(shape)});
  }

  void attention(const std::string& prefix) {
    for (const char* name : {"q", "k", "v"}) add(prefix + name, {config_.innerDim(), config_.dModel});
    add(prefix + "o", {config_.dModel, config_.innerDim()});
  }

  void feedForward(const std::string& prefix) {
    if (config_.feedForward == FeedForward::kRelu) {
      add(prefix + "wi", {config_.dFf, config_.dModel});
    } else {
      for (const char* name : {"wi_0", "wi_1"}) add(prefix + name, {config_.dFf, config_.dModel});
    }
    add(prefix + "wo", {config_.dModel, config_.dFf});
  }

  void block(const std::string& prefix, bool hasBias, bool isDecoder) {
    attention(prefix + "layer.0.SelfAttention.");
    if (hasBias) {
      add(prefix + "layer.0.SelfAttention.relative_attention_bias",
          {config_.relativeAttentionNumBuckets, config_.numHeads});
    }
    add(prefix + "layer.0.layer_norm", {config_.dModel});
    if (isDecoder) {
      attention(prefix + "layer.1.EncDecAttention.");
      add(prefix + "layer.1.layer_norm", {config_.dModel});
    }
    const std::string last = prefix + (isDecoder ? "layer.2." : "layer.1.");
    feedForward(last + "DenseReluDense.");
    add(last + "layer_norm", {config_.dModel});
  }

  void stack(const std::string& prefix, int64_t blocks, bool isDecoder) {
    for (int64_t i = 0; i < blocks; ++i) {
      block(prefix + "block." + std::to_string(i) + ".", i == 0 || config_.biasInEveryBlock, isDecoder);
    }
    add(prefix + "final_layer_norm", {config_.dModel});
  }

  const T5Config& config_;
  std::vector<ParameterSpec> specs_;
};

}  // namespace

std::vector<ParameterSpec> parameterSpecs(const T5Config& config) {
  return Specs(config).all();
}

}  // namespace softprompt
