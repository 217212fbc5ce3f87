#include "core/train/weight_optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "core/runtime/error.h"
#include "core/train/optimizer.h"

namespace softprompt {
namespace {

constexpr double kSmallestScale = 1e-3;

at::Tensor asMatrix(const at::Tensor& tensor) {
  return tensor.dim() == 2 ? tensor : tensor.view({1, -1});
}

double meanSquare(const at::Tensor& tensor) {
  return sumOfSquares(tensor) / static_cast<double>(tensor.numel());
}

// average = decay average + (1 - decay) value, kept in float32; given back in float64.
at::Tensor decayed(at::Tensor& average, double decay, const at::Tensor& value) {
  average.copy_(average.to(at::kDouble).mul_(decay).add_(value, 1 - decay));
  return average.to(at::kDouble);
}

}  // namespace

WeightOptimizer::WeightOptimizer(const WeightRule& rule, const NamedTensors& weights, int64_t steps)
    : rule_(rule), steps_(steps) {
  const OptimizerKind kind = rule.optimizer.kind;
  if (kind == OptimizerKind::kMuon) {
    throw Error("OPTION_UNSUPPORTED", "all weights are trained by adafactor or adamw: choose one of them");
  }
  for (const auto& [name, tensor] : weights) {
    const at::Tensor weight = asMatrix(tensor.detach());
    Slot slot{name, weight, {}, {}, {}};
    const auto zeros = [](at::IntArrayRef shape) { return at::zeros(shape, at::kFloat); };
    if (kind == OptimizerKind::kAdafactor && isFactored(weight)) {
      slot.state = {{"rows", zeros({weight.size(0)})}, {"columns", zeros({weight.size(1)})}};
    } else {
      slot.state = {{"squares", zeros(weight.sizes())}};
      if (kind == OptimizerKind::kAdamW) slot.state["mean"] = zeros(weight.sizes());
    }
    slots_.push_back(std::move(slot));
  }
}

bool WeightOptimizer::isFactored(const at::Tensor& weight) const {
  return std::min(weight.size(0), weight.size(1)) >= rule_.optimizer.minDimSizeToFactor;
}

double WeightOptimizer::measure(const std::vector<at::Tensor>& gradients) {
  double squares = 0;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    slot.gradient = asMatrix(gradients[i]);
    if (slot.state.contains("rows")) {
      slot.sums = squareSums(slot.gradient);
      squares += slot.sums.rows.sum().item<double>();
    } else {
      squares += sumOfSquares(slot.gradient);
    }
  }
  norm_ = std::sqrt(squares);
  return norm_;
}

void WeightOptimizer::update(int64_t step, double rateFactor) {
  const double most = rule_.optimizer.maxGradientNorm;
  const double clip = most > 0 && norm_ > most ? most / norm_ : 1;
  const double rate = rateFactor * learningRateAt(rule_.optimizer, step, steps_);
  for (Slot& slot : slots_) {
    const double scale = rule_.parameterScaling ? std::max(std::sqrt(meanSquare(slot.weight)), kSmallestScale) : 1;
    if (rule_.optimizer.kind == OptimizerKind::kAdafactor) {
      adafactor(slot, clip, step, rate * scale);
    } else {
      adamw(slot, clip, step, rate * scale);
    }
    slot.gradient = at::Tensor();
    slot.sums = {};
  }
}

// adafactor.h has the formulas.
void WeightOptimizer::adafactor(Slot& slot, double clip, int64_t step, double rate) const {
  const OptimizerOptions& o = rule_.optimizer;
  const double decay = 1 - std::pow(static_cast<double>(o.initialStep + step + 1), -o.decayRate);
  const double keep = 1 - o.weightDecay;
  const auto numbers = static_cast<double>(slot.weight.numel());
  const auto clipped = [&](double squares) {
    return rate / std::max(1.0, std::sqrt(squares / numbers) / o.clipThreshold);
  };
  if (!slot.state.contains("rows")) {
    const at::Tensor& squares = slot.state.at("squares");
    const double change = decaySquares(squares, slot.gradient, clip, decay, o.epsilon);
    subtractScaled(slot.weight, slot.gradient, squares, clip, keep, clipped(change));
    return;
  }
  const auto meansOf = [&](const at::Tensor& sums, int64_t count) {
    return sums.mul(clip * clip / static_cast<double>(count)).add_(o.epsilon);
  };
  const at::Tensor rows = decayed(slot.state.at("rows"), decay, meansOf(slot.sums.rows, slot.weight.size(1)));
  const at::Tensor columns = decayed(slot.state.at("columns"), decay, meansOf(slot.sums.columns, slot.weight.size(0)));
  const at::Tensor rowFactor = rows.div(rows.mean()).rsqrt_().mul_(clip).to(at::kFloat);
  const at::Tensor columnFactor = columns.rsqrt().to(at::kFloat);
  const double change = factoredSquares(slot.gradient, rowFactor, columnFactor);
  subtractFactored(slot.weight, slot.gradient, rowFactor, columnFactor, keep, clipped(change));
}

void WeightOptimizer::adamw(Slot& slot, double clip, int64_t step, double rate) const {
  const OptimizerOptions& o = rule_.optimizer;
  const auto t = static_cast<double>(step + 1);
  adamStep(slot.weight, slot.gradient, slot.state.at("mean"), slot.state.at("squares"),
           {.scale = clip,
            .beta1 = o.beta1,
            .beta2 = o.beta2,
            .squareScale = 1 / (1 - std::pow(o.beta2, t)),
            .epsilon = o.epsilon,
            .keep = 1 - rate * o.weightDecay,
            .rate = rate / (1 - std::pow(o.beta1, t))});
}

void WeightOptimizer::reset() {
  for (Slot& slot : slots_) {
    for (auto& [name, tensor] : slot.state) tensor.zero_();
  }
}

NamedTensors WeightOptimizer::state() const {
  NamedTensors state;
  for (const Slot& slot : slots_) {
    for (const auto& [name, tensor] : slot.state) state.emplace_back(slot.name + "." + name, tensor);
  }
  return state;
}

void WeightOptimizer::restore(const std::map<std::string, at::Tensor>& state) {
  const auto sourceOf = [&](const Slot& slot, const std::string& name, const at::Tensor& like) -> const at::Tensor& {
    const auto found = state.find(slot.name + "." + name);
    if (found == state.end()) {
      throw Error("CHECKPOINT_INVALID", "the optimiser's tensor '" + slot.name + "." + name + "' is missing");
    }
    if (found->second.scalar_type() != at::kFloat || !found->second.sizes().equals(like.sizes())) {
      throw Error("CHECKPOINT_INVALID",
                  "the optimiser's tensor '" + slot.name + "." + name + "' has another shape or type");
    }
    return found->second;
  };
  for (const Slot& slot : slots_) {
    for (const auto& [name, tensor] : slot.state) sourceOf(slot, name, tensor);
  }
  for (Slot& slot : slots_) {
    for (auto& [name, tensor] : slot.state) tensor.copy_(sourceOf(slot, name, tensor));
  }
}

}  // namespace softprompt
