// AdamW (Loshchilov and Hutter 2019) with bias correction, as PyTorch has it:
//   M = beta1 M + (1 - beta1) G        V = beta2 V + (1 - beta2) G^2
//   P = (1 - rate weightDecay) P - rate (M / (1 - beta1^t)) / (sqrt(V / (1 - beta2^t)) + epsilon), t = step + 1
#pragma once

#include "core/train/optimizer.h"

namespace softprompt {

class AdamW final : public Optimizer {
 public:
  // For a parameter of `shape` [P, d].
  AdamW(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps);

  void update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor) override;
  std::map<std::string, at::Tensor> state() const override;
  void restore(const std::map<std::string, at::Tensor>& state) override;

 private:
  OptimizerOptions options_;
  int64_t totalSteps_;
  at::Tensor mean_;    // M: float32 [P, d]
  at::Tensor square_;  // V: float32 [P, d]
};

}  // namespace softprompt
