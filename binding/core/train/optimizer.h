// The update rules, each a function of its state and the gradient alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "core/train/options.h"

namespace softprompt {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // In place on `parameter` (float32 [P, d]); `step` counts from 0 and, for Adafactor, initialStep is added. The rate
  // is learningRateAt(step) times `rateFactor`.
  virtual void update(at::Tensor& parameter, const at::Tensor& gradient, int64_t step, double rateFactor = 1) = 0;
  virtual std::map<std::string, at::Tensor> state() const = 0;
  // Throws Error CHECKPOINT_INVALID, naming the tensor.
  virtual void restore(const std::map<std::string, at::Tensor>& state) = 0;

 protected:
  // state[name], checked to be as `like`.
  static at::Tensor restored(const std::map<std::string, at::Tensor>& state, const std::string& name,
                             const at::Tensor& like);
};

// Adafactor as T5X has it (no first moment, no parameter scaling), AdamW or Muon, for a parameter of `shape`.
std::unique_ptr<Optimizer> makeOptimizer(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps);

// The rate at `step` (from 0): rises linearly to learningRate over warmupSteps, then follows the schedule; linear and
// cosine reach zero at totalSteps, inverseSqrt is learningRate * sqrt(max(warmupSteps, 1) / (step + 1)).
double learningRateAt(const OptimizerOptions& options, int64_t step, int64_t totalSteps);

// The weight of the past in a moving average after `step` (from 0): small at first, to forget the start soon.
double averageWeight(double decay, int64_t step);

}  // namespace softprompt
