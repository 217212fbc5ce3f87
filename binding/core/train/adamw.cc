#include "core/train/adamw.h"

#include <ATen/ops/zeros.h>

#include <cmath>

namespace softprompt {

AdamW::AdamW(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps)
    : options_(options),
      totalSteps_(totalSteps),
      mean_(at::zeros(shape, at::kFloat)),
      square_(at::zeros(shape, at::kFloat)) {}

void AdamW::update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor) {
  const auto t = static_cast<double>(step + 1);
  const double rate = rateFactor * learningRateAt(options_, step, totalSteps_);
  const at::Tensor g = gradient.to(at::kDouble);
  const at::Tensor mean = mean_.to(at::kDouble).mul_(options_.beta1).add_(g, 1 - options_.beta1);
  const at::Tensor square = square_.to(at::kDouble).mul_(options_.beta2).add_(g.square(), 1 - options_.beta2);
  mean_ = mean.to(at::kFloat);
  square_ = square.to(at::kFloat);
  const double meanCorrection = 1 - std::pow(options_.beta1, t), squareCorrection = 1 - std::pow(options_.beta2, t);
  const at::Tensor scale = square.div(squareCorrection).sqrt_().add_(options_.epsilon);
  parameter.copy_(
      parameter.to(at::kDouble).mul_(1 - rate * options_.weightDecay).sub_(mean.div(scale), rate / meanCorrection));
}

std::map<std::string, at::Tensor> AdamW::state() const {
  return {{"mean", mean_.clone()}, {"square", square_.clone()}};
}

void AdamW::restore(const std::map<std::string, at::Tensor>& state) {
  mean_ = restored(state, "mean", mean_);
  square_ = restored(state, "square", square_);
}

}  // namespace softprompt
