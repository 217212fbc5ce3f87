#include "core/t5/int8_executor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/jit/api/module.h>

#include <stdexcept>
#include <utility>

#include "core/t5/fast_executor.h"
#include "core/t5/fast_step.h"
#include "core/t5/packing.h"
#include "core/t5/position_biases.h"
#include "core/t5/step_weights.h"

namespace softprompt {
namespace {

// Frees what the int8 matrices stand for: matrices of the decoder, but for the small tables of its position biases, and
// the head.
void giveUp(torch::jit::Module& module) {
  for (const auto& parameter : module.named_parameters()) {
    const bool isDecoders = parameter.name.starts_with("decoder.block.") && parameter.value.dim() == 2 &&
                            parameter.name.find("relative_attention_bias") == std::string::npos;
    if (!isDecoders && parameter.name != "lm_head.weight") continue;
    at::Tensor held = parameter.value;
    held.set_data(at::empty({0, held.size(1)}, held.options()));
  }
}

StepWeights int8Weights(const T5Config& config, torch::jit::Module& module) {
  const at::NoGradGuard noGrad;
  const StepWeights weights = inInt8(stepWeightsOf(fuseWeights(config, module), module));
  giveUp(module);
  return weights;
}

class Int8Executor final : public Executor {
 public:
  Int8Executor(const T5Config& config, torch::jit::Module module)
      : decoderBlocks_(module.attr("decoder").toModule().attr("block").toModule()),
        step_(config, int8Weights(config, module),
              [this](int64_t positions) { return stepBiases(this->config(), decoderBlocks_, positions); }),
        encoder_(makeFastExecutor(config, std::move(module))) {}

  const T5Config& config() const override { return encoder_->config(); }
  at::ScalarType dtype() const override { return encoder_->dtype(); }
  at::Device device() const override { return encoder_->device(); }
  bool isDifferentiable() const override { return false; }

  at::Tensor embed(const at::Tensor& ids) override { return encoder_->embed(ids); }
  Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) override {
    const at::NoGradGuard noGrad;
    return encoder_->encode(embeds, mask, pass);
  }

  at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) override {
    const std::unique_ptr<DecoderCache> cache = startCache(encoded, pass);
    std::vector<at::Tensor> hidden;
    for (int64_t t = 0; t < ids.size(1); ++t) hidden.push_back(step(ids.select(1, t), *cache, pass));
    return at::stack(hidden, 1);
  }

  at::Tensor logits(const at::Tensor& decoderHidden) override {
    std::vector<int64_t> shape = decoderHidden.sizes().vec();
    shape.back() = config().vocabSize;
    return step_.logits(decoderHidden.reshape({-1, config().dModel})).view(shape);
  }

  std::vector<float> logProbs(const at::Tensor& decoderHidden, const std::vector<Pick>& picks) override {
    return step_.logProbs(decoderHidden, picks);
  }

  std::unique_ptr<DecoderCache> startCache(const Encoded& encoded, Pass& pass) override {
    const auto packing = packingOf(encoded.mask);
    if (!packing) throw std::logic_error("rows with holes in int8");
    return step_.start(encoded.hidden, *packing, pass.yieldPoint);
  }

  at::Tensor step(const at::Tensor& ids, DecoderCache& cache, Pass& pass) override {
    return step_.step(ids, dynamic_cast<StepCache&>(cache), pass.yieldPoint);
  }

  // What is held: the matrices by names of their own.
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    std::vector<std::pair<std::string, at::Tensor>> all = matricesOf(step_.weights());
    for (auto& parameter : encoder_->parameters())
      if (parameter.second.numel() > 0) all.push_back(std::move(parameter));
    return all;
  }

 private:
  torch::jit::Module decoderBlocks_;
  FastStep step_;
  std::unique_ptr<Executor> encoder_;
};

}  // namespace

std::unique_ptr<Executor> makeInt8Executor(const T5Config& config, torch::jit::Module module) {
  return std::make_unique<Int8Executor>(config, std::move(module));
}

}  // namespace softprompt
