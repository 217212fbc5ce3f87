// The optimiser of all of a network's weights, float32: for each an update rule of its own, after the norm of all
// gradients together was clipped. What adafactor.h and adamw.h do for a prompt, in few passes over memory.
//
// Adafactor with parameter scaling is T5's own: a weight's rate is the schedule's times max(RMS(weight), 1e-3).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/safetensors.h"
#include "core/ops/weight_update.h"
#include "core/train/options.h"

namespace softprompt {

struct WeightRule {
  OptimizerOptions optimizer;  // adafactor or adamw; maxGradientNorm is of all weights together
  bool parameterScaling = false;
};

class WeightOptimizer {
 public:
  // `weights`: float32, contiguous, on the CPU; changed in place by update. `steps`: the schedule's length. Throws
  // Error OPTION_UNSUPPORTED.
  WeightOptimizer(const WeightRule& rule, const NamedTensors& weights, int64_t steps);

  // gradients: one of each weight, of its shape. Gives their norm; nothing has changed yet.
  double measure(const std::vector<at::Tensor>& gradients);
  // Takes the step `step` (from 0) with the gradients measured last.
  void update(int64_t step, double rateFactor);

  // As it began.
  void reset();

  NamedTensors state() const;
  // Throws Error CHECKPOINT_INVALID, naming the tensor; nothing has changed then.
  void restore(const std::map<std::string, at::Tensor>& state);

 private:
  // Of a weight. Adafactor: rows and columns where it is factored, else squares. AdamW: mean and squares.
  struct Slot {
    std::string name;
    at::Tensor weight;  // as a matrix: a vector is one row
    std::map<std::string, at::Tensor> state;
    at::Tensor gradient;
    SquareSums sums;  // of a factored one's gradient
  };

  bool isFactored(const at::Tensor& weight) const;
  void adafactor(Slot& slot, double clip, int64_t step, double rate) const;
  void adamw(Slot& slot, double clip, int64_t step, double rate) const;

  WeightRule rule_;
  int64_t steps_;
  std::vector<Slot> slots_;
  double norm_ = 0;
};

}  // namespace softprompt
