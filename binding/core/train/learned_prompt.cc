#include "core/train/learned_prompt.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace softprompt {
namespace {

// Empty if `value` is finite.
std::string complaint(const char* what, double value, int64_t step, double rate) {
  if (std::isfinite(value)) return "";
  return "the " + std::string(what) + " is " + std::to_string(value) + " at step " + std::to_string(step + 1) +
         " (learning rate " + std::to_string(rate) + "): try a learning rate a tenth of it, or a warm-up";
}

}  // namespace

LearnedPrompt::LearnedPrompt(std::string name, const at::Tensor& start, uint64_t seed, const OptimizerOptions& options,
                             int64_t steps)
    : name_(std::move(name)), seed_(seed), options_(options), steps_(steps) {
  reset(start);
}

std::unique_ptr<Optimizer> LearnedPrompt::freshOptimizer() const {
  return makeOptimizer(options_, prompt_.sizes(), steps_);
}

at::Tensor LearnedPrompt::handedOut() const {
  return (average_.defined() ? average_ : prompt_).clone();
}

StepResult LearnedPrompt::take(const Objective& objective, int64_t step, double rateFactor) {
  StepResult result;
  result.step = step + 1;
  result.loss = objective.negativeLogProb / static_cast<double>(objective.targetTokens);
  result.gradientNorm = objective.gradient.to(at::kDouble).norm().item<double>();
  result.learningRate = rateFactor * learningRateAt(options_, step, steps_);
  result.inputTokens = objective.inputTokens;
  result.targetTokens = objective.targetTokens;
  result.diverged = complaint("loss", objective.loss, step, result.learningRate);
  if (result.diverged.empty()) {
    result.diverged = complaint("gradient's norm", result.gradientNorm, step, result.learningRate);
  }
  if (!result.diverged.empty()) return result;

  const auto before = optimizer_->state();
  at::Tensor next = prompt_.clone();
  const double most = options_.maxGradientNorm;
  const bool tooLarge = most > 0 && result.gradientNorm > most;
  const at::Tensor gradient = tooLarge ? objective.gradient.mul(most / result.gradientNorm) : objective.gradient;
  optimizer_->update(next, gradient, step, rateFactor);
  result.diverged = complaint("prompt's largest value", next.abs().max().item<double>(), step, result.learningRate);
  if (!result.diverged.empty()) {
    optimizer_->restore(before);
    return result;
  }
  prompt_ = next;
  if (average_.defined()) average_.lerp_(prompt_, 1 - averageWeight(options_.averageDecay, step));
  return result;
}

void LearnedPrompt::reset(const at::Tensor& prompt) {
  prompt_ = prompt.detach().to(at::kCPU, at::kFloat).clone();
  if (options_.averageDecay > 0) average_ = prompt_.clone();
  optimizer_ = freshOptimizer();
}

LearnedPrompt::Tensors LearnedPrompt::tensors() const {
  return {prompt_, average_, optimizer_->state()};
}

LearnedPrompt LearnedPrompt::restored(const Tensors& tensors) const {
  LearnedPrompt restored(name_, tensors.prompt, seed_, options_, steps_);
  restored.optimizer_->restore(tensors.optimizer);
  restored.average_ = tensors.average;
  return restored;
}

}  // namespace softprompt
