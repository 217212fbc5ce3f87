#include "core/train/adafactor.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace softprompt {
namespace {

// average = decay * average + (1 - decay) * value; kept in float32, worked out in float64.
at::Tensor decayed(const at::Tensor& average, double decay, const at::Tensor& value) {
  return average.to(at::kDouble).mul_(decay).add_(value, 1 - decay).to(at::kFloat);
}

}  // namespace

Adafactor::Adafactor(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps)
    : options_(options),
      totalSteps_(totalSteps),
      factored_(std::min(shape[0], shape[1]) >= options.minDimSizeToFactor) {
  if (factored_) {
    rows_ = at::zeros({shape[0]}, at::kFloat);
    columns_ = at::zeros({shape[1]}, at::kFloat);
  } else {
    square_ = at::zeros(shape, at::kFloat);
  }
}

at::Tensor Adafactor::scaledGradient(const at::Tensor& gradient, double decay) {
  const at::Tensor square = gradient.square().add_(options_.epsilon);
  if (!factored_) {
    square_ = decayed(square_, decay, square);
    return gradient.div(square_.to(at::kDouble).sqrt_());
  }
  rows_ = decayed(rows_, decay, square.mean(1));
  columns_ = decayed(columns_, decay, square.mean(0));
  const at::Tensor rows = rows_.to(at::kDouble);
  const at::Tensor rowFactor = rows.div(rows.mean()).rsqrt_().unsqueeze(1);
  return gradient.mul(rowFactor).mul_(columns_.to(at::kDouble).rsqrt_());
}

void Adafactor::update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor) {
  const double decay = 1 - std::pow(static_cast<double>(options_.initialStep + step + 1), -options_.decayRate);
  at::Tensor change = scaledGradient(gradient.to(at::kDouble), decay);
  const double rms = std::sqrt(change.square().mean().item<double>());
  const double rate =
      rateFactor * learningRateAt(options_, step, totalSteps_) / std::max(1.0, rms / options_.clipThreshold);
  parameter.copy_(parameter.to(at::kDouble).mul_(1 - options_.weightDecay).sub_(change, rate));
}

std::map<std::string, at::Tensor> Adafactor::state() const {
  if (factored_) return {{"rows", rows_.clone()}, {"columns", columns_.clone()}};
  return {{"square", square_.clone()}};
}

void Adafactor::restore(const std::map<std::string, at::Tensor>& state) {
  if (factored_) {
    rows_ = restored(state, "rows", rows_);
    columns_ = restored(state, "columns", columns_);
  } else {
    square_ = restored(state, "square", square_);
  }
}

}  // namespace softprompt
