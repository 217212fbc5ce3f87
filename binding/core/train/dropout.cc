#include "core/train/dropout.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace softprompt {
namespace {

constexpr int kSiteBits = 16;  // the step takes the other 40 of a stream's 56 bits

// A block's counter: the row's place in the upper half, then 12 bits for the head and 20 for four numbers of its line,
// so that a line's numbers do not depend on how long the others are.
constexpr int kRowShift = 32, kLineShift = 20;

// `width` numbers of a line.
void fillLine(float* values, int64_t width, const CounterRandom& random, uint64_t line, double rate) {
  const auto dropBelow = static_cast<uint32_t>(rate * 0x1.0p32);
  const auto kept = static_cast<float>(1 / (1 - rate));
  for (int64_t i = 0; i < width; i += 4) {
    const auto words = random.block(line | static_cast<uint64_t>(i / 4));
    for (int64_t j = i; j < std::min(i + 4, width); ++j) values[j] = words[j - i] < dropBelow ? 0.0f : kept;
  }
}

}  // namespace

at::Tensor StepDropout::mask(int64_t site, at::IntArrayRef shape) const {
  const uint64_t stream = streamOf(Purpose::kDropout, static_cast<uint64_t>(step_) << kSiteBits | site);
  at::Tensor mask = at::empty(shape, at::kFloat);
  const int64_t lines = shape[1], width = lines == 0 ? 0 : mask.numel() / (shape[0] * lines);
  float* values = mask.mutable_data_ptr<float>();
  for (int64_t row = 0; row < shape[0]; ++row) {
    const DropoutRow& own = rows_.at(row);
    const CounterRandom random(own.seed, stream);
    for (int64_t line = 0; line < lines; ++line, values += width) {
      const uint64_t first = static_cast<uint64_t>(own.place) << kRowShift | static_cast<uint64_t>(line) << kLineShift;
      fillLine(values, width, random, first, rate_);
    }
  }
  return mask;
}

}  // namespace softprompt
