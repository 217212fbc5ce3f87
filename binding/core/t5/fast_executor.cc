#include "core/t5/fast_executor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/jit/api/module.h>

#include <functional>
#include <stdexcept>

#include "core/t5/fast_stacks.h"
#include "core/t5/fast_step.h"
#include "core/t5/fast_trainable.h"
#include "core/t5/packing.h"
#include "core/t5/plain_executor.h"
#include "core/t5/position_biases.h"

namespace softprompt {
namespace {

using GradientOf = std::function<at::Tensor(const at::Tensor&)>;

// A step of autograd's graph that we compute ourselves, once.
class OwnBackward final : public torch::autograd::Node {
 public:
  explicit OwnBackward(GradientOf gradientOf) : gradientOf_(std::move(gradientOf)) {}

  std::string name() const override { return "SoftPromptBackward"; }
  void release_variables() override { gradientOf_ = nullptr; }

 private:
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    if (!gradientOf_) throw std::logic_error("the gradient of this pass was already taken");
    const at::NoGradGuard noGrad;
    return {std::exchange(gradientOf_, nullptr)(gradients[0])};
  }

  GradientOf gradientOf_;
};

at::Tensor withBackward(at::Tensor output, const at::Tensor& input, GradientOf gradientOf) {
  auto node = c10::make_intrusive<OwnBackward>(std::move(gradientOf));
  node->set_next_edges(torch::autograd::collect_next_edges(input));
  torch::autograd::set_history(output, node);
  return output;
}

bool wantsGradient(const at::Tensor& input) {
  return at::GradMode::is_enabled() && input.requires_grad();
}

constexpr int64_t kFewRows = 128;

at::Tensor weightIn(const torch::jit::Module& module, const char* name) {
  return module.attr(name).toModule().attr("weight").toTensor();
}

class FastExecutor final : public Executor {
 public:
  FastExecutor(const T5Config& config, torch::jit::Module module)
      : model_{config, fuseWeights(config, module), FastLayers(config)},
        encoderBlocks_(module.attr("encoder").toModule().attr("block").toModule()),
        decoderBlocks_(module.attr("decoder").toModule().attr("block").toModule()),
        embedding_(weightIn(module, "shared")),
        head_(module.hasattr("lm_head") ? weightIn(module, "lm_head") : embedding_),
        step_(config, stepWeightsOf(model_.weights, module),
              [this](int64_t positions) { return stepBiases(model_.config, decoderBlocks_, positions); }),
        plain_(makePlainExecutor(config, std::move(module))) {}

  const T5Config& config() const override { return model_.config; }
  at::ScalarType dtype() const override { return plain_->dtype(); }
  at::Device device() const override { return plain_->device(); }
  at::Tensor embed(const at::Tensor& ids) override { return plain_->embed(ids); }

  // Few rows, as decoding has them, go by our own product, which gives float32 and each row's own sums.
  at::Tensor logits(const at::Tensor& decoderHidden) override {
    const bool isFew = decoderHidden.dim() == 2 && decoderHidden.size(0) <= kFewRows;
    return isFew && !wantsGradient(decoderHidden) ? step_.logits(decoderHidden) : plain_->logits(decoderHidden);
  }

  std::vector<float> logProbs(const at::Tensor& decoderHidden, const std::vector<Pick>& picks) override {
    return step_.logProbs(decoderHidden, picks);
  }

  std::unique_ptr<DecoderCache> startCache(const Encoded& encoded, Pass& pass) override {
    const auto packing = packingOf(encoded.mask);
    if (!packing) return plain_->startCache(encoded, pass);
    return step_.start(encoded.hidden, *packing, pass.yieldPoint);
  }

  at::Tensor step(const at::Tensor& ids, DecoderCache& cache, Pass& pass) override {
    auto* own = dynamic_cast<StepCache*>(&cache);
    return own ? step_.step(ids, *own, pass.yieldPoint) : plain_->step(ids, cache, pass);
  }

  std::unique_ptr<Trainable> trainable() override {
    return makeFastTrainable({model_, embedding_, head_, [this](int64_t n) { return encoderBiases(n); },
                              [this](int64_t n) { return decoderBiases(n); }, parameters()});
  }
  void weightsChanged() override { step_.weightsChanged(); }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return plain_->parameters(); }

  Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) override {
    const auto packing = packingOf(mask);
    if (!packing) return plain_->encode(embeds, mask, pass);
    const int64_t rows = embeds.size(0), positions = embeds.size(1), width = embeds.size(2);
    const at::Tensor hidden = encodePacked(withoutPadding(embeds.to(at::kFloat), *packing), *packing, pass);
    const at::Tensor padded = at::zeros({rows * positions, width}, hidden.options().requires_grad(false));
    const auto real = [&](const at::Tensor& all) { return all.narrow(0, 0, packing->tokens); };
    return {padded.index_copy(0, real(packing->places), real(hidden)).view({rows, positions, width}), mask};
  }

  at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) override {
    const auto packing = packingOf(encoded.mask);
    if (!packing) return plain_->decode(ids, encoded, pass);
    const int64_t rows = ids.size(0), positions = ids.size(1), width = model_.config.dModel;
    const at::Tensor hidden =
        decodePacked(ids.index_select(0, packing->order), withoutPadding(encoded.hidden, *packing), *packing, pass);
    return hidden.view({rows, positions, width}).index_select(0, std::get<1>(packing->order.sort()));
  }

 private:
  // [B, S, d] -> [N and more, d]
  static at::Tensor withoutPadding(const at::Tensor& padded, const Packing& packing) {
    return padded.flatten(0, 1).index_select(0, packing.places);
  }

  at::Tensor encodePacked(const at::Tensor& packed, const Packing& packing, Pass& pass) {
    const Keeps keeps = wantsGradient(packed) ? Keeps::kForInput : Keeps::kNothing;
    auto run = std::make_shared<EncoderPass>(model_, encoderBiases(packing.longest), packing, pass, keeps);
    at::Tensor hidden;
    {
      const at::NoGradGuard noGrad;
      hidden = run->forward(packed.detach());
    }
    if (keeps == Keeps::kNothing) return hidden;
    return withBackward(hidden, packed, [run](const at::Tensor& gradient) { return run->backward(gradient); });
  }

  // ids [B, T] in the packing's order
  at::Tensor decodePacked(const at::Tensor& ids, const at::Tensor& packed, const Packing& packing, Pass& pass) {
    const Keeps keeps = wantsGradient(packed) ? Keeps::kForInput : Keeps::kNothing;
    auto run = std::make_shared<DecoderPass>(model_, decoderBiases(ids.size(1)), packing, ids.size(1), pass, keeps);
    at::Tensor hidden;
    {
      const at::NoGradGuard noGrad;
      const at::Tensor embedded = embed(ids).to(at::kFloat).flatten(0, 1);
      hidden = run->forward(embedded, packed.detach());
    }
    if (keeps == Keeps::kNothing) return hidden;
    return withBackward(hidden, packed, [run](const at::Tensor& gradient) { return run->backward(gradient).encoded; });
  }

  // The module's own bias methods: [1, H, S, S], one for all blocks or one for each.
  std::vector<at::Tensor> encoderBiases(int64_t positions) {
    return positionBiases(model_.config, encoderBlocks_, model_.config.numLayers, "relative_position_bias",
                          {positions, positions, 0});
  }
  std::vector<at::Tensor> decoderBiases(int64_t positions) {
    return positionBiases(model_.config, decoderBlocks_, model_.config.numDecoderLayers, "bias", {positions, 0});
  }

  FastModel model_;
  torch::jit::Module encoderBlocks_, decoderBlocks_;
  at::Tensor embedding_, head_;
  FastStep step_;
  std::unique_ptr<Executor> plain_;
};

}  // namespace

std::unique_ptr<Executor> makeFastExecutor(const T5Config& config, torch::jit::Module module) {
  return std::make_unique<FastExecutor>(config, std::move(module));
}

}  // namespace softprompt
