// The optimiser of all of a network's weights: an update rule for each, after the gradients' common norm was clipped.
//
// Adafactor with parameter scaling is T5's own: a weight's rate is the schedule's times max(RMS(weight), 1e-3).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/safetensors.h"
#include "core/train/optimizer.h"

namespace softprompt {

struct WeightRule {
  OptimizerOptions optimizer;  // adafactor or adamw; no moving average
  bool parameterScaling = false;
  double clipNorm = 0;  // of all gradients together; 0: none
};

class WeightOptimizer {
 public:
  // `weights`: float32, changed in place by update. `steps`: the schedule's length. Throws Error OPTION_UNSUPPORTED.
  WeightOptimizer(const WeightRule& rule, const NamedTensors& weights, int64_t steps);

  // gradients: one of each weight, of its shape, whose norm together is `norm`. `step` counts from 0.
  void update(const std::vector<at::Tensor>& gradients, double norm, int64_t step, double rateFactor);

  NamedTensors state() const;
  // Throws Error CHECKPOINT_INVALID, naming the tensor; nothing has changed then.
  void restore(const std::map<std::string, at::Tensor>& state);

 private:
  std::vector<std::unique_ptr<Optimizer>> fresh() const;

  WeightRule rule_;
  int64_t steps_;
  NamedTensors weights_;
  std::vector<std::unique_ptr<Optimizer>> optimizers_;
};

}  // namespace softprompt
