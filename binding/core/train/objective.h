// -log Pr(Y | [P; X]) of some rows and its gradient in P: the one place where prompts meet the loss (the paper,
// section 2). A batch may hold the rows of several prompts, whose losses and gradients have nothing to do with each
// other.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/t5/executor.h"
#include "core/train/options.h"
#include "core/train/tuner.h"

namespace softprompt {

// The part of a batch that is a prompt's.
struct PromptRows {
  at::Tensor prompt;          // float32 [P, d]
  std::vector<int64_t> rows;  // of the training set, at least one
  uint64_t seed = 0;          // of the dropout masks: row i draws as row i of a batch of its own
};

struct Objective {
  double loss = 0;             // with reduction, z-loss and smoothing; a mean is over this part's own target tokens
  double negativeLogProb = 0;  // summed over the target tokens
  int64_t inputTokens = 0;     // real ones, prompt rows not counted
  int64_t targetTokens = 0;
  at::Tensor gradient;  // float32 [P, d], on the CPU
};

struct ObjectiveOptions {
  LossOptions loss;
  double dropout = 0;
  int64_t step = 0;  // for the dropout masks
  int64_t rowsAtOnce =
      0;  // rows of all parts in one pass through the model; 0: all. Sums up to the same but for rounding
};

// One for each of `parts`. The graph's leaves are the prompts; the model's tensors have no gradient.
std::vector<Objective> promptObjectives(Executor& model, const TrainingSet& data, const std::vector<PromptRows>& parts,
                                        const ObjectiveOptions& options, YieldPoint& yieldPoint);

// Throws Error DATA_EMPTY, DATA_TARGET_EMPTY and TOKEN_OUT_OF_RANGE, naming the row.
void checkTrainingSet(const TrainingSet& data, const T5Config& config);

}  // namespace softprompt
