// One prompt-tuning run, a step at a time: batch -> [P; X] -> loss -> gradient of P -> optimiser. The only state that
// changes is P's.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"
#include "core/train/options.h"

namespace softprompt {

struct TrainingSet {
  TokenRows inputs;   // ids as they are
  TokenRows targets;  // ids as they are
};

struct StepResult {
  int64_t step = 0;  // 1-based: steps done
  double loss = 0;   // a target token's mean, without z-loss, whatever the reduction: comparable between runs
  double gradientNorm = 0;
  double learningRate = 0;
  int64_t examples = 0;
  int64_t inputTokens = 0;  // real ones, prompt rows not counted
  int64_t targetTokens = 0;
};

class Tuner {
 public:
  // prompt: float32 [P, d]. Checks the set (DATA_*: empty set, empty target, id out of range, naming the row). The
  // model outlives the tuner.
  Tuner(Executor& model, TrainingSet data, const at::Tensor& prompt, const TuneOptions& options);
  ~Tuner();

  // One step. Throws Cancelled between layers (the state is then that of the step before) and Error TUNE_DIVERGED (loss
  // not finite).
  StepResult step(YieldPoint& yieldPoint);
  int64_t stepsDone() const;
  at::Tensor prompt() const;  // float32 [P, d], a copy (the moving average where one is kept)

  // Prompt, optimiser state, position; `notes` is the caller's JSON, kept with them. Written beside, synced, renamed.
  void save(const std::string& path, const std::string& notes) const;
  std::string restore(
      const std::string& path);  // gives `notes` back; throws Error CHECKPOINT_* when it belongs to another run

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct GradientResult {
  double loss = 0;      // with the options' reduction and z-loss
  at::Tensor gradient;  // float32 [P, d]
};

// The whole set as one batch, dropout 0.
GradientResult promptGradient(Executor& model, const TrainingSet& data, const at::Tensor& prompt,
                              const LossOptions& loss, YieldPoint& yieldPoint);

}  // namespace softprompt
