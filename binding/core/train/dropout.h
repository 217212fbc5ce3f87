// Dropout whose masks are a function of (seed, step, site, row) and the place in the row alone: neither threads, a
// resume, padding nor the batch's other rows change them.
#pragma once

#include <utility>
#include <vector>

#include "core/runtime/random.h"
#include "core/t5/executor.h"

namespace softprompt {

// Whose numbers a row draws: those of row `place` of the batch of a run with this seed.
struct DropoutRow {
  uint64_t seed = 0;
  int64_t place = 0;
};

class StepDropout final : public DropoutMasks {
 public:
  // rate in [0, 1); `step` counts from 0; an entry of `rows` for each row of the batch.
  StepDropout(double rate, int64_t step, std::vector<DropoutRow> rows)
      : rate_(rate), step_(step), rows_(std::move(rows)) {}

  // `shape`: [B, 1, width], or [B, heads, positions, 1]. The mask is made on the CPU.
  at::Tensor mask(int64_t site, at::IntArrayRef shape) const override;

 private:
  double rate_;
  int64_t step_;
  std::vector<DropoutRow> rows_;
};

}  // namespace softprompt
