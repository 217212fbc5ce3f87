// A tuner of a single run, of the seed and rate of its options.
#pragma once

#include <utility>

#include "core/train/tuner.h"

namespace softprompt {

class OneRun : public Tuner {
 public:
  OneRun(Executor& model, TrainingSet data, const at::Tensor& prompt, const TuneOptions& options)
      : Tuner(model, std::move(data), {{prompt, options.seed, options.optimizer.learningRate}}, options) {}
  StepResult step(YieldPoint& yieldPoint) { return Tuner::step({{0}}, yieldPoint).at(0); }
  at::Tensor prompt() const { return Tuner::prompt(0); }
};

}  // namespace softprompt
