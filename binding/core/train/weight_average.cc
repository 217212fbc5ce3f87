#include "core/train/weight_average.h"

#include <ATen/core/Tensor.h>

#include <stdexcept>

#include "core/train/optimizer.h"

namespace softprompt {

NamedTensors copiesOf(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors) copies.emplace_back(name, tensor.clone());
  return copies;
}

void copyInto(NamedTensors& to, const NamedTensors& from) {
  for (size_t i = 0; i < to.size(); ++i) to[i].second.copy_(from[i].second);
}

WeightAverage::WeightAverage(double decay, const NamedTensors& weights)
    : decay_(decay), weights_(weights), average_(decay > 0 ? copiesOf(weights) : NamedTensors{}) {}

void WeightAverage::add(int64_t step) {
  const double past = averageWeight(decay_, step);
  for (size_t i = 0; i < average_.size(); ++i) average_[i].second.lerp_(weights_[i].second, 1 - past);
}

void WeightAverage::restart() {
  copyInto(average_, weights_);
}

void WeightAverage::exchange() {
  for (size_t i = 0; i < average_.size(); ++i) {
    const at::Tensor weight = weights_[i].second.clone();
    weights_[i].second.copy_(average_[i].second);
    average_[i].second.copy_(weight);
  }
  isExchanged_ = !isExchanged_ && !average_.empty();
}

void WeightAverage::requireOwn() const {
  if (isExchanged_) throw std::logic_error("the weights and their moving average have changed places");
}

void WeightAverage::restore(const NamedTensors& tensors) {
  copyInto(average_, tensors);
}

}  // namespace softprompt
