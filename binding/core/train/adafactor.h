// Adafactor as T5X has it (Shazeer and Stern 2018, without first moment and parameter scaling), as the paper uses it.
//
// Step t counts from initialStep, G is the gradient:
//   b = 1 - (t + 1)^-decayRate         S = G^2 + epsilon
//   unfactored: V = b V + (1 - b) S                        U = G / sqrt(V)
//   factored:   R = b R + (1 - b) mean of S over columns   U = G / sqrt(R C / mean(R))
//               C = b C + (1 - b) mean of S over rows
//   U = U / max(1, RMS(U) / clipThreshold)
//   P = (1 - weightDecay) P - rate U
// The accumulators start at zero and there is no bias correction: with a large initialStep, b is almost 1 from the
// first step, clipping binds, and an update's RMS is about the rate.
#pragma once

#include "core/train/optimizer.h"

namespace softprompt {

class Adafactor final : public Optimizer {
 public:
  // For a parameter of `shape` [P, d]: factored where both are at least options.minDimSizeToFactor.
  Adafactor(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps);

  void update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor) override;
  std::map<std::string, at::Tensor> state() const override;
  void restore(const std::map<std::string, at::Tensor>& state) override;

 private:
  // U before clipping, float64; moves the accumulators on.
  at::Tensor scaledGradient(const at::Tensor& gradient, double decay);

  OptimizerOptions options_;
  int64_t totalSteps_;
  bool factored_;
  at::Tensor square_;          // V: float32 [P, d], unfactored
  at::Tensor rows_, columns_;  // R: float32 [P], C: float32 [d], factored
};

}  // namespace softprompt
