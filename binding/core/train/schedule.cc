// The learning rate's course: a linear warm-up, then the schedule.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/train/optimizer.h"

namespace softprompt {
namespace {

// The factor after the warm-up; `done` is the share of the steps behind it that were taken, in [0, 1).
double scheduleFactor(const OptimizerOptions& options, int64_t step, double done) {
  switch (options.schedule) {
    case Schedule::kConstant:
      return 1;
    case Schedule::kLinear:
      return 1 - done;
    case Schedule::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * done));
    case Schedule::kInverseSqrt:
      return std::sqrt(static_cast<double>(std::max<int64_t>(options.warmupSteps, 1)) / static_cast<double>(step + 1));
  }
  return 1;
}

}  // namespace

double learningRateAt(const OptimizerOptions& options, int64_t step, int64_t totalSteps) {
  const int64_t warmup = options.warmupSteps;
  if (step < warmup) return options.learningRate * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const auto length = static_cast<double>(std::max<int64_t>(totalSteps - warmup, 1));
  const double done = std::min(1.0, static_cast<double>(step - warmup) / length);
  return options.learningRate * scheduleFactor(options, step, done);
}

double averageWeight(double decay, int64_t step) {
  const auto t = static_cast<double>(step);
  return std::min(decay, (1 + t) / (10 + t));
}

}  // namespace softprompt
