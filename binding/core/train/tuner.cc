#include "core/train/tuner.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/checkpoint/file_lock.h"
#include "core/prompt/prompt.h"
#include "core/runtime/error.h"
#include "core/train/batch.h"
#include "core/train/learned_prompt.h"
#include "core/train/objective.h"
#include "core/train/run_checkpoint.h"

namespace softprompt {

struct Tuner::State {
  Executor& model;
  TrainingSet data;
  TuneOptions options;
  BatchOrder order;
  std::vector<LearnedPrompt> prompts;  // one a run
  int64_t step = 0;                    // steps done
  std::unique_ptr<FileLock> claimed;   // the checkpoint
  int64_t rowsAtOnce = 0;              // options.microBatchSize, or less where the memory did not hold it; 0: all

  RunIdentity identity() const { return runIdentity(options, data, prompts); }
  std::vector<Objective> objectives(const std::vector<PromptRows>& parts, YieldPoint& yieldPoint);
  void takeLess(int64_t rows);
};

// A batch that does not fit the device's memory goes through in parts, from then on.
std::vector<Objective> Tuner::State::objectives(const std::vector<PromptRows>& parts, YieldPoint& yieldPoint) {
  while (true) {
    try {
      const ObjectiveOptions how{options.loss, options.dropout, step, rowsAtOnce};
      return promptObjectives(model, data, parts, how, yieldPoint);
    } catch (const c10::OutOfMemoryError&) {
      takeLess(static_cast<int64_t>(parts.size() * parts[0].rows.size()));
    }
  }
}

void Tuner::State::takeLess(int64_t rows) {
  const int64_t tried = rowsAtOnce > 0 ? std::min(rowsAtOnce, rows) : rows;
  if (options.microBatchSize > 0 || tried == 1) {
    throw Error("TUNE_MEMORY", "the device has no memory for " + std::to_string(tried) +
                                   (tried == 1 ? " row" : " rows") +
                                   " at once: try a smaller microBatchSize, shorter inputs or a shorter prompt");
  }
  rowsAtOnce = (tried + 1) / 2;
}

Tuner::Tuner(Executor& model, TrainingSet data, const std::vector<RunStart>& runs, const TuneOptions& options) {
  for (const RunStart& run : runs) checkPrompt(run.prompt, model.config().dModel);
  checkTrainingSet(data, model.config());
  const BatchOrder order(data.inputs.size(), options.batchSize, options.shuffle, options.seed);
  state_ = std::unique_ptr<State>(new State{model, std::move(data), options, order, {}, 0, nullptr, options.microBatchSize});
  for (const RunStart& run : runs) {
    OptimizerOptions optimizer = options.optimizer;
    optimizer.learningRate = run.learningRate;
    state_->prompts.emplace_back(run.prompt, run.seed, optimizer, options.steps);
  }
}

Tuner::~Tuner() = default;

std::vector<StepResult> Tuner::step(const std::vector<ActiveRun>& active, YieldPoint& yieldPoint) {
  State& state = *state_;
  const std::vector<int64_t> rows = state.order.rowsOf(state.step);
  std::vector<PromptRows> parts;
  for (const auto& [run, _] : active) {
    const LearnedPrompt& learned = state.prompts.at(run);
    parts.push_back({learned.prompt(), rows, learned.seed()});
  }
  const std::vector<Objective> objectives = state.objectives(parts, yieldPoint);

  std::vector<StepResult> results;
  for (size_t i = 0; i < active.size(); ++i) {
    results.push_back(state.prompts[active[i].run].take(objectives[i], state.step, active[i].rateFactor));
    results.back().run = active[i].run;
    results.back().examples = static_cast<int64_t>(rows.size());
  }
  const auto isFinite = [](const StepResult& result) { return result.diverged.empty(); };
  if (std::any_of(results.begin(), results.end(), isFinite)) ++state.step;
  return results;
}

int64_t Tuner::stepsDone() const {
  return state_->step;
}

at::Tensor Tuner::prompt(int64_t run) const {
  return state_->prompts.at(run).handedOut();
}

void Tuner::reset(int64_t run, const at::Tensor& prompt) {
  state_->prompts.at(run).reset(prompt);
}

void Tuner::claim(const std::string& path) {
  state_->claimed.reset();
  state_->claimed = std::make_unique<FileLock>(path);
}

void Tuner::release() {
  state_->claimed.reset();
}

void Tuner::save(const std::string& path, const std::string& notes) const {
  const State& state = *state_;
  RunCheckpoint checkpoint{state.identity(), state.step, state.rowsAtOnce, {}, notes};
  for (const LearnedPrompt& learned : state.prompts) checkpoint.runs.push_back(learned.tensors());
  writeRunCheckpoint(path, checkpoint);
}

std::string Tuner::restore(const std::string& path) {
  State& state = *state_;
  const RunCheckpoint checkpoint = readRunCheckpoint(path, state.identity(), state.prompts);
  std::vector<LearnedPrompt> prompts;  // nothing has changed yet where one of them cannot be restored
  for (size_t run = 0; run < state.prompts.size(); ++run) {
    prompts.push_back(state.prompts[run].restored(checkpoint.runs[run]));
  }
  state.prompts = std::move(prompts);
  state.step = checkpoint.step;
  state.rowsAtOnce = checkpoint.rowsAtOnce;
  return checkpoint.notes;
}

GradientResult promptGradient(Executor& model, const TrainingSet& data, const at::Tensor& prompt,
                              const LossOptions& loss, YieldPoint& yieldPoint) {
  checkPrompt(prompt, model.config().dModel);
  checkTrainingSet(data, model.config());
  std::vector<int64_t> all(data.inputs.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const ObjectiveOptions how{.loss = loss};
  const std::vector<Objective> objectives = promptObjectives(model, data, {{prompt, all}}, how, yieldPoint);
  return {objectives[0].loss, objectives[0].gradient};
}

}  // namespace softprompt
