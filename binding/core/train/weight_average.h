// The moving average of a network's weights, A = decay A + (1 - decay) W, with less of the past in the first steps.
#pragma once

#include <cstdint>

#include "core/checkpoint/safetensors.h"

namespace softprompt {

NamedTensors copiesOf(const NamedTensors& tensors);
// Of the same tensors in the same order.
void copyInto(NamedTensors& to, const NamedTensors& from);

class WeightAverage {
 public:
  // Of `weights`, float32, whose places stay; begins with them. decay 0: there is none, and nothing here does anything.
  WeightAverage(double decay, const NamedTensors& weights);

  // What the step (from 0) has made of the weights.
  void add(int64_t step);
  // Begins anew with the weights of now.
  void restart();
  // Weights and average change places. In between nothing else is allowed (std::logic_error).
  void exchange();
  void requireOwn() const;

  const NamedTensors& tensors() const { return average_; }  // empty: none
  void restore(const NamedTensors& tensors);

 private:
  const double decay_;
  NamedTensors weights_, average_;
  bool isExchanged_ = false;
};

}  // namespace softprompt
