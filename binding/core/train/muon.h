// Muon (Jordan et al. 2024): momentum whose singular values are all brought near 1, so that every direction of the
// prompt learns at the same pace, the rare ones too.
//
// G is the gradient, [P, d]:
//   M = momentum M + G / RMS(G)
//   U = G / RMS(G) + momentum M                               (Nesterov)
//   X = U / |U|, then five times X = a X + (b A + c A A) X with A = X X^T     (Newton-Schulz, on the shorter side)
//   P = (1 - rate weightDecay) P - rate X / RMS(X)
// So an update's RMS is the rate, as it is Adafactor's where clipping binds, and neither the gradient's size nor one
// batch's counts. A gradient of zeros changes nothing.
#pragma once

#include "core/train/optimizer.h"

namespace softprompt {

class Muon final : public Optimizer {
 public:
  Muon(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps);

  void update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor) override;
  std::map<std::string, at::Tensor> state() const override;
  void restore(const std::map<std::string, at::Tensor>& state) override;

 private:
  OptimizerOptions options_;
  int64_t totalSteps_;
  at::Tensor momentum_;  // M: float32 [P, d]
};

// [n, m] -> the same with its singular values near 1 (0.7 to 1.2 for those above a hundredth of the largest). float32.
at::Tensor orthogonalised(const at::Tensor& matrix);

}  // namespace softprompt
