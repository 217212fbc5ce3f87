#include "core/train/weight_optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr double kSmallestScale = 1e-3;

// Rules are of matrices: a vector is one row.
at::Tensor asMatrix(const at::Tensor& tensor) {
  return tensor.dim() == 2 ? tensor : tensor.view({1, -1});
}

double rms(const at::Tensor& tensor) {
  return tensor.norm().item<double>() / std::sqrt(static_cast<double>(tensor.numel()));
}

}  // namespace

WeightOptimizer::WeightOptimizer(const WeightRule& rule, const NamedTensors& weights, int64_t steps)
    : rule_(rule), steps_(steps), weights_(weights) {
  if (rule.optimizer.kind == OptimizerKind::kMuon || rule.optimizer.averageDecay > 0) {
    throw Error("OPTION_UNSUPPORTED",
                "all weights are trained by adafactor or adamw, without a moving average: choose one of them");
  }
  optimizers_ = fresh();
}

std::vector<std::unique_ptr<Optimizer>> WeightOptimizer::fresh() const {
  std::vector<std::unique_ptr<Optimizer>> optimizers;
  for (const auto& [name, weight] : weights_) {
    optimizers.push_back(makeOptimizer(rule_.optimizer, asMatrix(weight).sizes(), steps_));
  }
  return optimizers;
}

void WeightOptimizer::update(const std::vector<at::Tensor>& gradients, double norm, int64_t step, double rateFactor) {
  const double clip = rule_.clipNorm > 0 && norm > rule_.clipNorm ? rule_.clipNorm / norm : 1;
  for (size_t i = 0; i < weights_.size(); ++i) {
    at::Tensor weight = asMatrix(weights_[i].second);
    const double scale = rule_.parameterScaling ? std::max(rms(weight), kSmallestScale) : 1;
    optimizers_[i]->update(weight, asMatrix(gradients[i]).mul(clip), step, rateFactor * scale);
  }
}

NamedTensors WeightOptimizer::state() const {
  NamedTensors state;
  for (size_t i = 0; i < weights_.size(); ++i) {
    for (const auto& [name, tensor] : optimizers_[i]->state()) {
      state.emplace_back(weights_[i].first + "." + name, tensor);
    }
  }
  return state;
}

void WeightOptimizer::restore(const std::map<std::string, at::Tensor>& state) {
  auto optimizers = fresh();
  for (size_t i = 0; i < weights_.size(); ++i) {
    const std::string prefix = weights_[i].first + ".";
    std::map<std::string, at::Tensor> own;
    for (auto at = state.lower_bound(prefix); at != state.end() && at->first.starts_with(prefix); ++at) {
      own[at->first.substr(prefix.size())] = at->second;
    }
    try {
      optimizers[i]->restore(own);
    } catch (const Error& error) {
      throw Error(error.code(), weights_[i].first + ": " + error.what());
    }
  }
  optimizers_ = std::move(optimizers);
}

}  // namespace softprompt
