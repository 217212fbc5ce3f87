// Dropout whose masks are a function of (seed, step, site, row) alone: neither threads nor a resume change them.
#pragma once

#include "core/runtime/random.h"
#include "core/t5/executor.h"

namespace softprompt {

class StepDropout final : public DropoutMasks {
 public:
  // rate in [0, 1); `step` counts from 0.
  StepDropout(double rate, uint64_t seed, int64_t step) : rate_(rate), seed_(seed), step_(step) {}

  // The first dimension of `shape` is the batch's rows; the mask is made on the CPU.
  at::Tensor mask(int64_t site, at::IntArrayRef shape) const override;

 private:
  double rate_;
  uint64_t seed_;
  int64_t step_;
};

}  // namespace softprompt
