// One prompt that is learned, and all that changes with it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/train/objective.h"
#include "core/train/optimizer.h"
#include "core/train/options.h"

namespace softprompt {

class LearnedPrompt {
 public:
  // What a checkpoint holds of it.
  struct Tensors {
    at::Tensor prompt;   // float32 [P, d]
    at::Tensor average;  // float32 [P, d], or undefined where none is kept
    std::map<std::string, at::Tensor> optimizer;
  };

  // start: float32 [P, d]. `steps` is the schedule's length. `name` is what its names in a checkpoint begin with.
  LearnedPrompt(std::string name, const at::Tensor& start, uint64_t seed, const OptimizerOptions& options,
                int64_t steps);

  const std::string& name() const { return name_; }
  uint64_t seed() const { return seed_; }
  const OptimizerOptions& options() const { return options_; }
  const at::Tensor& prompt() const { return prompt_; }  // float32 [P, d], CPU
  at::Tensor handedOut() const;                         // a copy: the moving average where one is kept

  // Takes step `step` (from 0). Where the objective or the new prompt is not finite, nothing changes and the result
  // says so. Nothing pauses in here: the prompt moves from one step to the next as a whole.
  StepResult take(const Objective& objective, int64_t step, double rateFactor);
  void reset(const at::Tensor& prompt);

  Tensors tensors() const;
  // The same run with what a checkpoint holds. Throws Error CHECKPOINT_INVALID, naming the tensor.
  LearnedPrompt restored(const Tensors& tensors) const;

 private:
  std::unique_ptr<Optimizer> freshOptimizer() const;

  std::string name_;
  uint64_t seed_;
  OptimizerOptions options_;
  int64_t steps_;
  at::Tensor prompt_, average_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace softprompt
