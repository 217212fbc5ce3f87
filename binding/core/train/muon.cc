#include "core/train/muon.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace softprompt {
namespace {

constexpr int kIterations = 5;
constexpr double kA = 3.4445, kB = -4.775, kC = 2.0315;  // steep at 0: small singular values grow 3.4-fold a time

double rms(const at::Tensor& values) {
  return std::sqrt(values.to(at::kDouble).square().mean().item<double>());
}

// To an RMS of 1; zeros stay zeros.
at::Tensor normalised(const at::Tensor& values) {
  const double size = rms(values);
  return size > 0 ? values.div(size) : at::zeros_like(values);
}

}  // namespace

at::Tensor orthogonalised(const at::Tensor& matrix) {
  if (matrix.size(0) > matrix.size(1)) return orthogonalised(matrix.t()).t();
  const double length = rms(matrix) * std::sqrt(static_cast<double>(matrix.numel()));
  if (!(length > 0)) return at::zeros_like(matrix);
  at::Tensor x = matrix.div(length);
  for (int i = 0; i < kIterations; ++i) {
    const at::Tensor a = at::mm(x, x.t());
    const at::Tensor polynomial = at::addmm(a, a, a, kB, kC);
    x = at::addmm(x, polynomial, x, kA, 1);
  }
  return x;
}

Muon::Muon(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps)
    : options_(options), totalSteps_(totalSteps), momentum_(at::zeros(shape, at::kFloat)) {}

void Muon::update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor) {
  const double rate = rateFactor * learningRateAt(options_, step, totalSteps_);
  const at::Tensor g = normalised(gradient.to(at::kFloat));
  momentum_ = momentum_.mul(options_.momentum).add_(g);
  const at::Tensor change = normalised(orthogonalised(g.add(momentum_, options_.momentum)));
  parameter.copy_(parameter.to(at::kDouble).mul_(1 - rate * options_.weightDecay).sub_(change, rate));
}

std::map<std::string, at::Tensor> Muon::state() const {
  return {{"momentum", momentum_.clone()}};
}

void Muon::restore(const std::map<std::string, at::Tensor>& state) {
  momentum_ = restored(state, "momentum", momentum_);
}

}  // namespace softprompt
