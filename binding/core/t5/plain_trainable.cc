#include "core/t5/plain_trainable.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/module.h>

#include "core/checkpoint/safetensors.h"
#include "core/t5/build.h"
#include "core/t5/plain_executor.h"

namespace softprompt {
namespace {

class PlainTrainable final : public Trainable {
 public:
  PlainTrainable(const T5Config& config, std::vector<TrainableWeight> weights) : weights_(std::move(weights)) {
    NamedTensors tensors;
    for (const TrainableWeight& weight : weights_) {
      leaves_.push_back(weight.value.detach());  // the same numbers, as a leaf of its own
      tensors.emplace_back(weight.name, leaves_.back());
    }
    executor_ = makePlainExecutor(config, buildModule(config, tensors));
    for (at::Tensor& leaf : leaves_) leaf.requires_grad_(true);
  }

  const std::vector<TrainableWeight>& weights() const override { return weights_; }

  at::Tensor forward(const TrainingBatch& batch, Pass& pass) override {
    const at::AutoGradMode withGradient(true);
    const Encoded encoded = executor_->encode(executor_->embed(batch.ids), batch.mask, pass);
    hidden_ = executor_->decode(batch.decoderIds, encoded, pass).flatten(0, 1).index_select(0, batch.places);
    return hidden_.detach();
  }

  LogitsPass logits(const at::Tensor& hidden) override {
    const at::AutoGradMode withGradient(true);
    const at::Tensor input = hidden.detach().requires_grad_(true);
    const at::Tensor logits = executor_->logits(input);
    return {logits.detach(), [this, input, logits](const at::Tensor& gradient) {
              std::vector<at::Tensor> inputs = leaves_;
              inputs.push_back(input);
              at::Tensor own = gradientsOf(logits, inputs, gradient).back();
              return own;
            }};
  }

  void backward(const at::Tensor& gradient) override {
    gradientsOf(hidden_, leaves_, gradient);
    hidden_ = at::Tensor();
  }

 private:
  // Adds those of the weights up.
  std::vector<at::Tensor> gradientsOf(const at::Tensor& of, const std::vector<at::Tensor>& inputs,
                                      const at::Tensor& gradient) {
    auto gradients = torch::autograd::grad({of}, inputs, {gradient.to(of.scalar_type())}, std::nullopt,
                                           /*create_graph=*/false, /*allow_unused=*/true);
    const at::NoGradGuard noGrad;
    for (size_t i = 0; i < weights_.size(); ++i) {
      at::Tensor sum = weights_[i].gradient;
      if (gradients[i].defined()) sum.add_(gradients[i]);
    }
    return gradients;
  }

  std::vector<TrainableWeight> weights_;
  std::vector<at::Tensor> leaves_;
  std::unique_ptr<Executor> executor_;
  at::Tensor hidden_;
};

}  // namespace

std::unique_ptr<Trainable> makePlainTrainable(const T5Config& config, std::vector<TrainableWeight> weights) {
  return std::make_unique<PlainTrainable>(config, std::move(weights));
}

std::vector<TrainableWeight> weightsOf(const Executor& model) {
  std::vector<TrainableWeight> weights;
  for (const auto& [name, value] : model.parameters()) {
    weights.push_back({name, value, at::zeros(value.sizes(), value.options().dtype(at::kFloat).requires_grad(false))});
  }
  return weights;
}

}  // namespace softprompt
