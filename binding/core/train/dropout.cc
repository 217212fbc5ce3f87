#include "core/train/dropout.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace softprompt {
namespace {

constexpr int kSiteBits = 16;  // the step takes the other 40 of a stream's 56 bits

}  // namespace

at::Tensor StepDropout::mask(int64_t site, at::IntArrayRef shape) const {
  const CounterRandom random(seed_, streamOf(Purpose::kDropout, static_cast<uint64_t>(step_) << kSiteBits | site));
  const auto dropBelow = static_cast<uint32_t>(rate_ * 0x1.0p32);
  const auto kept = static_cast<float>(1 / (1 - rate_));
  at::Tensor mask = at::empty(shape, at::kFloat);
  const int64_t rows = shape.empty() ? 1 : shape[0];
  const int64_t width = rows == 0 ? 0 : mask.numel() / rows;
  float* values = mask.mutable_data_ptr<float>();
  for (int64_t row = 0; row < rows; ++row, values += width) {
    for (int64_t i = 0; i < width; i += 4) {
      const auto words = random.block(static_cast<uint64_t>(row) << 32 | static_cast<uint64_t>(i / 4));
      for (int64_t j = i; j < std::min(i + 4, width); ++j) values[j] = words[j - i] < dropBelow ? 0.0f : kept;
    }
  }
  return mask;
}

}  // namespace softprompt
