// Training of all weights (LM adaptation, model tuning), a step at a time on batches that the caller makes. It moves a
// trainable model's float32 masters; what the model computes with follows after each step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/runtime/token_rows.h"
#include "core/t5/load.h"
#include "core/train/options.h"
#include "core/train/step_figures.h"
#include "core/train/weight_optimizer.h"

namespace softprompt {

struct ModelTrainerOptions {
  int64_t steps = 1000;        // the schedule's length
  int64_t microBatchSize = 0;  // rows in one pass, whose gradients are added up in float32; 0: all of a batch
  double dropout = 0;
  uint64_t seed = 0;  // of the dropout masks
  LossOptions loss;
  WeightRule rule;
};

struct TrainLoss {
  double negativeLogProb = 0;  // summed over the target tokens
  int64_t targetTokens = 0;
};

class ModelTrainer {
 public:
  // The model outlives it. Throws Error MODEL_FROZEN where it is not trainable (trainable_model.h), and
  // OPTION_UNSUPPORTED.
  ModelTrainer(LoadedModel& model, const ModelTrainerOptions& options, YieldPoint& yieldPoint);
  ~ModelTrainer();

  // Learns from a batch: row i of inputs with row i of targets, ids as they are. The rate is the schedule's times
  // `rateFactor`. Throws Error DATA_*, TOKEN_OUT_OF_RANGE, and Cancelled between layers; the state is then that of the
  // step before.
  StepFigures step(const TokenRows& inputs, const TokenRows& targets, double rateFactor, YieldPoint& yieldPoint);
  // Of the weights as they are now, without dropout.
  TrainLoss loss(const TokenRows& inputs, const TokenRows& targets, YieldPoint& yieldPoint);
  int64_t stepsDone() const;

  // Remembers the weights of now; goes back to those remembered last (or does nothing). Optimiser and step stay.
  void keep();
  void recall();
  // Goes on from the weights remembered last, with a fresh optimiser; the step stays.
  void setBack();
  // Where the rule has a moving average of the weights: the model gets it in their place, and by a second call they
  // come back. No step, checkpoint or setBack in between.
  void exchange();

  // Until release, no other run may claim this path for its checkpoint. Throws Error CHECKPOINT_LOCKED and FILE_WRITE.
  void claim(const std::string& path);
  void release();
  // Masters, the optimiser's state, weights that were kept, position; `notes` is the caller's. A run that was restored
  // goes on bit for bit as the one that was saved. Throws Error FILE_WRITE; CHECKPOINT_* where it belongs to another
  // run.
  void save(const std::string& path, const std::string& notes) const;
  std::string restore(const std::string& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace softprompt
