// Prompt tuning, a step at a time: batch -> [P; X] -> loss -> gradient of P -> optimiser. Several prompts may learn at
// once, from the same batches in the same pass through the model, each as if it were alone. The only state that changes
// is theirs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/token_rows.h"
#include "core/t5/executor.h"
#include "core/train/options.h"
#include "core/train/step_figures.h"

namespace softprompt {

struct TrainingSet {
  TokenRows inputs;   // ids as they are
  TokenRows targets;  // ids as they are
  // The run that learns from each row, where they are different tasks; empty: every run learns from every row.
  std::vector<int32_t> runOfRow;
};

// One of the prompts that are learned: a run.
struct RunStart {
  at::Tensor prompt;          // float32 [P, d]; P may differ between runs
  uint64_t seed = 0;          // of its dropout masks
  double learningRate = 0.3;  // in place of the options'
};

// A run that takes part in a step; its rate is the schedule's times `rateFactor`.
struct ActiveRun {
  int64_t run = 0;
  double rateFactor = 1;
};

// Without examples, the batch had no row of the run's, whose step this was not.
struct StepResult : StepFigures {
  int64_t run = 0;
};

class Tuner {
 public:
  // Checks the set (DATA_*: empty set, empty target, id out of range, naming the row) and the prompts (PROMPT_*). The
  // model outlives the tuner. Where `shared` has a prompt, its rows stand in front of every run's own, and learn from
  // all rows: the gradient is the runs' sum.
  Tuner(Executor& model, TrainingSet data, const std::vector<RunStart>& runs, const TuneOptions& options,
        const RunStart& shared = {});
  ~Tuner();

  // One step of the runs `active` (at least one, each once), a result for each. Where none of them with rows in the
  // batch is finite, it does not count. Throws Cancelled between layers; the state is then that of the step before.
  std::vector<StepResult> step(const std::vector<ActiveRun>& active, YieldPoint& yieldPoint);
  int64_t stepsDone() const;
  // float32 [P, d], the shared part and the run's own, a copy (the moving average where one is kept).
  at::Tensor prompt(int64_t run) const;
  // The run goes on from this prompt, of the same shape, with a fresh optimiser; so does the shared part, whose rows
  // stand first in it: runs that share rows go back together, to prompts of one moment.
  void reset(int64_t run, const at::Tensor& prompt);

  // Until release, no other run may claim this path for its checkpoint. Throws Error CHECKPOINT_LOCKED and FILE_WRITE.
  void claim(const std::string& path);
  void release();

  // Prompts, optimisers' states, position; `notes` is the caller's JSON, kept with them. Written beside, synced,
  // renamed.
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
