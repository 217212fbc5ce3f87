#include "core/train/tuner.h"

#include <ATen/ops/cat.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
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
  std::vector<LearnedPrompt> prompts;  // one a run, and last, where there is one, the shared part
  int64_t step = 0;                    // steps done
  std::optional<FileLock> claimed;     // the checkpoint
  int64_t rowsAtOnce = 0;              // options.microBatchSize, or less where the memory did not hold it; 0: all
  bool hasShared = false;

  RunIdentity identity() const { return runIdentity(options, data, prompts); }
  std::vector<Objective> objectives(const std::vector<PromptRows>& parts, YieldPoint& yieldPoint);
  void takeLess(int64_t rows);

  const LearnedPrompt& learned(int64_t run) const;
  // Rows of the shared part.
  int64_t sharedRows() const { return hasShared ? prompts.back().prompt().size(0) : 0; }
  at::Tensor behindShared(const at::Tensor& own, const at::Tensor& shared) const;
  PromptRows partOf(int64_t run, const std::vector<int64_t>& rows) const;
  std::string takeShared(const std::vector<ActiveRun>& active, const std::vector<Objective>& objectives);
  bool take(const std::vector<ActiveRun>& active, const std::vector<PromptRows>& parts,
            const std::vector<Objective>& objectives, const std::vector<size_t>& resultOf,
            std::vector<StepResult>& results);
  Objective ownOf(const Objective& objective) const;
};

const LearnedPrompt& Tuner::State::learned(int64_t run) const {
  if (run < 0 || run >= static_cast<int64_t>(prompts.size()) - (hasShared ? 1 : 0)) {
    throw std::out_of_range("there is no run " + std::to_string(run));
  }
  return prompts[run];
}

at::Tensor Tuner::State::behindShared(const at::Tensor& own, const at::Tensor& shared) const {
  return hasShared ? at::cat({shared, own}) : own;
}

// The rows of a batch that are the run's.
PromptRows Tuner::State::partOf(int64_t run, const std::vector<int64_t>& rows) const {
  const LearnedPrompt& own = learned(run);
  PromptRows part{behindShared(own.prompt(), prompts.back().prompt()), {}, own.seed()};
  for (const int64_t row : rows) {
    if (data.runOfRow.empty() || data.runOfRow[row] == run) part.rows.push_back(row);
  }
  return part;
}

// What is left of an objective for the run's own rows.
Objective Tuner::State::ownOf(const Objective& objective) const {
  Objective own = objective;
  own.gradient = objective.gradient.slice(0, sharedRows());
  return own;
}

// The shared part learns from all, at the lowest of their rates; says what is not finite.
std::string Tuner::State::takeShared(const std::vector<ActiveRun>& active, const std::vector<Objective>& objectives) {
  if (!hasShared) return "";
  double rateFactor = active.front().rateFactor;
  for (const ActiveRun& run : active) rateFactor = std::min(rateFactor, run.rateFactor);
  Objective sum;
  for (const Objective& objective : objectives) {
    const at::Tensor gradient = objective.gradient.slice(0, 0, sharedRows());
    sum.loss += objective.loss;
    sum.negativeLogProb += objective.negativeLogProb;
    sum.targetTokens += objective.targetTokens;
    sum.gradient = sum.gradient.defined() ? sum.gradient.add(gradient) : gradient;
  }
  return prompts.back().take(sum, step, rateFactor).diverged;
}

// Fills in the results of the runs that have a part; false where none of them moved. Nothing pauses in here.
bool Tuner::State::take(const std::vector<ActiveRun>& active, const std::vector<PromptRows>& parts,
                        const std::vector<Objective>& objectives, const std::vector<size_t>& resultOf,
                        std::vector<StepResult>& results) {
  const std::string sharedDiverged = takeShared(active, objectives);
  bool moved = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    StepResult& result = results[resultOf[i]];
    const ActiveRun& run = active[resultOf[i]];
    if (sharedDiverged.empty()) {
      result = prompts[run.run].take(ownOf(objectives[i]), step, run.rateFactor);
    } else {
      result.diverged = sharedDiverged;
    }
    result.run = run.run;
    result.examples = static_cast<int64_t>(parts[i].rows.size());
    moved = moved || result.diverged.empty();
  }
  return moved;
}

// A batch that does not fit the device's memory goes through in parts, from then on.
std::vector<Objective> Tuner::State::objectives(const std::vector<PromptRows>& parts, YieldPoint& yieldPoint) {
  while (true) {
    try {
      const ObjectiveOptions how{options.loss, options.dropout, step, rowsAtOnce};
      return promptObjectives(model, data, parts, how, yieldPoint);
    } catch (const c10::OutOfMemoryError&) {
      int64_t rows = 0;
      for (const PromptRows& part : parts) rows += static_cast<int64_t>(part.rows.size());
      takeLess(rows);
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

Tuner::Tuner(Executor& model, TrainingSet data, const std::vector<RunStart>& runs, const TuneOptions& options,
             const RunStart& shared) {
  for (const RunStart& run : runs) checkPrompt(run.prompt, model.config().dModel);
  if (shared.prompt.defined()) checkPrompt(shared.prompt, model.config().dModel);
  checkTrainingSet(data, model.config());
  const BatchOrder order(data.inputs.size(), options.batchSize, options.shuffle, options.seed);
  state_ = std::unique_ptr<State>(
      new State{model, std::move(data), options, order, {}, 0, {}, options.microBatchSize, shared.prompt.defined()});
  const auto add = [&](const std::string& name, const RunStart& start) {
    OptimizerOptions optimizer = options.optimizer;
    optimizer.learningRate = start.learningRate;
    state_->prompts.emplace_back(name, start.prompt, start.seed, optimizer, options.steps);
  };
  for (size_t run = 0; run < runs.size(); ++run) {
    add(runs.size() == 1 ? "" : "runs[" + std::to_string(run) + "].", runs[run]);
  }
  if (shared.prompt.defined()) add("shared.", shared);
}

Tuner::~Tuner() = default;

std::vector<StepResult> Tuner::step(const std::vector<ActiveRun>& active, YieldPoint& yieldPoint) {
  State& state = *state_;
  const std::vector<int64_t> rows = state.order.rowsOf(state.step);
  std::vector<PromptRows> parts;
  std::vector<StepResult> results;
  std::vector<size_t> resultOf;  // of each part
  for (const auto& [run, _] : active) {
    PromptRows part = state.partOf(run, rows);
    StepResult& result = results.emplace_back();
    result.run = run;
    result.step = state.step + 1;
    if (part.rows.empty()) continue;
    parts.push_back(std::move(part));
    resultOf.push_back(results.size() - 1);
  }
  if (!parts.empty() && !state.take(active, parts, state.objectives(parts, yieldPoint), resultOf, results))
    return results;
  ++state.step;
  return results;
}

int64_t Tuner::stepsDone() const {
  return state_->step;
}

at::Tensor Tuner::prompt(int64_t run) const {
  const State& state = *state_;
  return state.behindShared(state.learned(run).handedOut(), state.prompts.back().handedOut());
}

void Tuner::reset(int64_t run, const at::Tensor& prompt) {
  State& state = *state_;
  state.learned(run);
  const int64_t shared = state.sharedRows();
  state.prompts[run].reset(prompt.slice(0, shared));
  if (state.hasShared) state.prompts.back().reset(prompt.slice(0, 0, shared));
}

void Tuner::claim(const std::string& path) {
  state_->claimed.emplace(path);
}

void Tuner::release() {
  state_->claimed.reset();
}

void Tuner::save(const std::string& path, const std::string& notes) const {
  const State& state = *state_;
  writeRunCheckpoint(path, {state.identity(), state.step, state.rowsAtOnce, {}, notes}, state.prompts);
}

std::string Tuner::restore(const std::string& path) {
  State& state = *state_;
  const RunCheckpoint checkpoint = readRunCheckpoint(path, state.identity(), state.prompts);
  std::vector<LearnedPrompt> prompts;  // nothing has changed yet where one of them cannot be restored
  for (size_t i = 0; i < state.prompts.size(); ++i) {
    prompts.push_back(state.prompts[i].restored(checkpoint.prompts[i]));
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
