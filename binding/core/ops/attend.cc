#include "core/ops/attend.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "core/ops/lanes.h"

namespace softprompt {
namespace {

using simd::Lanes;
constexpr uint32_t kWhole = 0xffff;
static_assert(kBlockPositions == simd::kLanes);

template <class Visit>
SOFTPROMPT_INLINE void eachOf(uint32_t mask, const Visit& visit) {
  if (mask == kWhole) {
    for (int i = 0; i < kBlockPositions; ++i) visit(i);
  } else {
    for (; mask != 0; mask &= mask - 1) visit(std::countr_zero(mask));
  }
}

template <class T>
SOFTPROMPT_INLINE void scoresOf(const float* q, const PastPart<T>& part, int64_t size, float* scores) {
  Lanes sums[4] = {}, keys;
  int64_t k = 0;
  for (; k + 4 <= size; k += 4) {
    for (int j = 0; j < 4; ++j) {
      simd::load(keys, part.keys + (k + j) * kBlockPositions);
      sums[j] += q[k + j] * keys;
    }
  }
  for (; k < size; ++k) {
    simd::load(keys, part.keys + k * kBlockPositions);
    sums[0] += q[k] * keys;
  }
  const Lanes all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  if (part.mask == kWhole) {
    std::memcpy(scores + part.first, &all, sizeof all);
  } else {
    eachOf(part.mask, [&](int i) { scores[part.first + i] = all[i]; });
  }
}

// In place; `scores` is filled up to 16.
SOFTPROMPT_INLINE void softmax(float* scores, const float* bias, int64_t positions) {
  const int64_t padded = (positions + simd::kLanes - 1) / simd::kLanes * simd::kLanes;
  for (int64_t s = positions; s < padded; ++s) scores[s] = -std::numeric_limits<float>::infinity();
  float highest = -std::numeric_limits<float>::infinity();
  if (bias) {
#pragma omp simd
    for (int64_t s = 0; s < positions; ++s) scores[s] += bias[s];
  }
#pragma omp simd reduction(max : highest)
  for (int64_t s = 0; s < padded; ++s) highest = std::max(highest, scores[s]);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t s = 0; s < padded; ++s) {
    scores[s] = simd::exp(scores[s] - highest);
    sum += scores[s];
  }
  const float scale = 1.0f / sum;
#pragma omp simd
  for (int64_t s = 0; s < padded; ++s) scores[s] *= scale;
}

// C vectors of the output, from `column` on.
template <int C, class T>
SOFTPROMPT_INLINE void valuesOf(std::span<const PastPart<T>> past, const float* weights, BlockShape shape,
                                int64_t column, float* out) {
  Lanes sums[C] = {};
  for (const PastPart<T>& part : past) {
    const T* values = part.values + column;
    eachOf(part.mask, [&](int i) {
      Lanes value;
      for (int c = 0; c < C; ++c) {
        simd::load(value, values + i * shape.padded() + c * simd::kLanes);
        sums[c] += weights[part.first + i] * value;
      }
    });
  }
  const int64_t numbers = std::min(C * simd::kLanes, shape.size - column);
  std::memcpy(out + column, sums, numbers * sizeof(float));
}

template <class T>
SOFTPROMPT_INLINE void body(const float* q, std::span<const PastPart<T>> past, const float* bias, int64_t positions,
                            BlockShape shape, float* scores, float* out) {
  for (const PastPart<T>& part : past) scoresOf(q, part, shape.size, scores);
  softmax(scores, bias, positions);
  int64_t column = 0;
  for (; column + 64 <= shape.padded(); column += 64) valuesOf<4>(past, scores, shape, column, out);
  for (; column + 32 <= shape.padded(); column += 32) valuesOf<2>(past, scores, shape, column, out);
  if (column < shape.padded()) valuesOf<1>(past, scores, shape, column, out);
}

template <class T>
void place(const Placing<T>& p, BlockShape shape) {
  T* values = p.values + p.place * shape.padded();
  for (int64_t k = 0; k < shape.size; ++k) {
    simd::store(p.keys + k * kBlockPositions + p.place, p.key[k]);
    simd::store(values + k, p.value[k]);
  }
}

}  // namespace

SOFTPROMPT_CLONES void attend(const float* q, std::span<const PastPart<float>> past, const float* bias,
                              int64_t positions, BlockShape shape, float* scores, float* out) {
  body(q, past, bias, positions, shape, scores, out);
}
SOFTPROMPT_CLONES void attend(const float* q, std::span<const PastPart<uint16_t>> past, const float* bias,
                              int64_t positions, BlockShape shape, float* scores, float* out) {
  body(q, past, bias, positions, shape, scores, out);
}

void placeInBlock(const Placing<float>& placing, BlockShape shape) {
  place(placing, shape);
}
void placeInBlock(const Placing<uint16_t>& placing, BlockShape shape) {
  place(placing, shape);
}

}  // namespace softprompt
