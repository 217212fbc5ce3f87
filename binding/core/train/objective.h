// -log Pr(Y | [P; X]) of some rows and its gradient in P: the one place where a prompt meets the loss (the paper,
// section 2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/t5/executor.h"
#include "core/train/options.h"
#include "core/train/tuner.h"

namespace softprompt {

struct Objective {
  double loss = 0;             // with reduction, z-loss and smoothing
  double negativeLogProb = 0;  // summed over the target tokens
  int64_t inputTokens = 0;     // real ones, prompt rows not counted
  int64_t targetTokens = 0;
  at::Tensor gradient;  // float32 [P, d], on the CPU
};

// Rows `which` of `data` as one batch behind `prompt` (float32 [P, d]). The graph has one leaf, the prompt; the model's
// tensors have none.
Objective promptObjective(Executor& model, const TrainingSet& data, const std::vector<int64_t>& which,
                          const at::Tensor& prompt, const LossOptions& loss, Pass& pass);

// Throws Error DATA_EMPTY, DATA_TARGET_EMPTY and TOKEN_OUT_OF_RANGE, naming the row.
void checkTrainingSet(const TrainingSet& data, const T5Config& config);

}  // namespace softprompt
