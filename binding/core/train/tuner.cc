#include "core/train/tuner.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/prompt/prompt.h"
#include "core/runtime/error.h"
#include "core/train/batch.h"
#include "core/train/dropout.h"
#include "core/train/objective.h"
#include "core/train/optimizer.h"
#include "core/train/run_checkpoint.h"

namespace softprompt {
namespace {

// The weight of the past in the moving average: small at first, so that the initial prompt is soon forgotten.
double averageWeight(double decay, int64_t step) {
  const auto t = static_cast<double>(step);
  return std::min(decay, (1 + t) / (10 + t));
}

[[noreturn]] void diverged(const char* what, double value, int64_t step, double rate) {
  throw Error("TUNE_DIVERGED", "the " + std::string(what) + " is " + std::to_string(value) + " at step " +
                                   std::to_string(step + 1) + " (learning rate " + std::to_string(rate) +
                                   "): try a learning rate a tenth of it, or a warm-up");
}

}  // namespace

struct Tuner::State {
  Executor& model;
  TrainingSet data;
  TuneOptions options;
  BatchOrder order;
  at::Tensor prompt;   // float32 [P, d], CPU
  at::Tensor average;  // the same, or undefined
  std::unique_ptr<Optimizer> optimizer;
  int64_t step = 0;  // steps done

  RunIdentity identity() const { return runIdentity(options, data, prompt.sizes()); }
  void update(const at::Tensor& gradient);
};

// Nothing in here pauses: the state moves from one step to the next as a whole.
void Tuner::State::update(const at::Tensor& gradient) {
  at::Tensor next = prompt.clone();
  optimizer->update(next, gradient, step);
  const double largest = next.abs().max().item<double>();
  if (!std::isfinite(largest)) {
    diverged("prompt's largest value", largest, step, learningRateAt(options.optimizer, step, options.steps));
  }
  prompt = next;
  if (average.defined()) average.lerp_(prompt, 1 - averageWeight(options.optimizer.averageDecay, step));
  ++step;
}

Tuner::Tuner(Executor& model, TrainingSet data, const at::Tensor& prompt, const TuneOptions& options) {
  checkPrompt(prompt, model.config().dModel);
  checkTrainingSet(data, model.config());
  const BatchOrder order(data.inputs.size(), options.batchSize, options.shuffle, options.seed);
  state_ = std::unique_ptr<State>(new State{model, std::move(data), options, order,
                                            prompt.detach().to(at::kCPU, at::kFloat).clone(), at::Tensor(),
                                            makeOptimizer(options.optimizer, prompt.sizes(), options.steps)});
  if (options.optimizer.averageDecay > 0) state_->average = state_->prompt.clone();
}

Tuner::~Tuner() = default;

StepResult Tuner::step(YieldPoint& yieldPoint) {
  State& state = *state_;
  const StepDropout dropout(state.options.dropout, state.options.seed, state.step);
  Pass pass{yieldPoint, state.options.dropout > 0 ? &dropout : nullptr};
  const std::vector<int64_t> rows = state.order.rowsOf(state.step);
  const Objective objective = promptObjective(state.model, state.data, rows, state.prompt, state.options.loss, pass);

  const double rate = learningRateAt(state.options.optimizer, state.step, state.options.steps);
  const double norm = objective.gradient.to(at::kDouble).norm().item<double>();
  if (!std::isfinite(objective.loss)) diverged("loss", objective.loss, state.step, rate);
  if (!std::isfinite(norm)) diverged("gradient's norm", norm, state.step, rate);
  state.update(objective.gradient);
  return {.step = state.step,
          .loss = objective.negativeLogProb / static_cast<double>(objective.targetTokens),
          .gradientNorm = norm,
          .learningRate = rate,
          .examples = static_cast<int64_t>(rows.size()),
          .inputTokens = objective.inputTokens,
          .targetTokens = objective.targetTokens};
}

int64_t Tuner::stepsDone() const {
  return state_->step;
}

at::Tensor Tuner::prompt() const {
  return (state_->average.defined() ? state_->average : state_->prompt).clone();
}

void Tuner::save(const std::string& path, const std::string& notes) const {
  const State& state = *state_;
  writeRunCheckpoint(path,
                     {state.identity(), state.step, state.prompt, state.average, state.optimizer->state(), notes});
}

std::string Tuner::restore(const std::string& path) {
  const RunCheckpoint checkpoint = readRunCheckpoint(path, state_->identity());
  auto optimizer = makeOptimizer(state_->options.optimizer, state_->prompt.sizes(), state_->options.steps);
  optimizer->restore(checkpoint.optimizer);  // may throw: nothing has changed yet
  state_->optimizer = std::move(optimizer);
  state_->prompt = checkpoint.prompt;
  state_->average = checkpoint.average;
  state_->step = checkpoint.step;
  return checkpoint.notes;
}

GradientResult promptGradient(Executor& model, const TrainingSet& data, const at::Tensor& prompt,
                              const LossOptions& loss, YieldPoint& yieldPoint) {
  checkPrompt(prompt, model.config().dModel);
  checkTrainingSet(data, model.config());
  std::vector<int64_t> all(data.inputs.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  Pass pass{yieldPoint};
  const Objective objective = promptObjective(model, data, all, prompt, loss, pass);
  return {objective.loss, objective.gradient};
}

}  // namespace softprompt
