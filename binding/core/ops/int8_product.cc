#include "core/ops/int8_product.h"

#include <algorithm>
#include <cmath>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr float kLargest = 127;

SOFTPROMPT_INLINE float largestOf(const float* x, int64_t size) {
  float largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < size; ++i) largest = std::abs(x[i]) > largest ? std::abs(x[i]) : largest;
  return largest;
}

// 0, or NaN where a number is not finite.
SOFTPROMPT_INLINE float flawOf(const float* x, int64_t size) {
  float flaw = 0;
#pragma omp simd reduction(+ : flaw)
  for (int64_t i = 0; i < size; ++i) flaw += x[i] * 0.0f;
  return flaw;
}

template <class T>
SOFTPROMPT_INLINE void body(const T* x, int64_t rows, int64_t depth, uint8_t* values, float* scales) {
  constexpr int64_t kPart = 256;
  float part[kPart];
  for (int64_t row = 0; row < rows; ++row, x += depth, values += int8Depth(depth)) {
    float largest = 0, flaw = 0;
    for (int64_t from = 0; from < depth; from += kPart) {
      const int64_t size = depth - from < kPart ? depth - from : kPart;
      for (int64_t i = 0; i < size; ++i) part[i] = simd::toFloat(x[from + i]);
      const float here = largestOf(part, size);
      largest = here > largest ? here : largest;
      flaw += flawOf(part, size);
    }
    scales[row] = largest / kLargest + flaw;
    const float inverse = largest > 0 ? kLargest / largest : 0.0f;
    for (int64_t i = 0; i < depth; ++i) {
      // 1.5 * 2^23: the sum's low bits are the nearest integer
      const float shifted = simd::toFloat(x[i]) * inverse + 12582912.0f;
      values[i] = static_cast<uint8_t>(std::bit_cast<uint32_t>(shifted) + 128u);
    }
  }
}

// Sixteen columns of one row.
SOFTPROMPT_INLINE void sumsOf(const uint8_t* x, const int8_t* panel, int64_t depth, int32_t* sums) {
  for (int64_t c = 0; c < kInt8Panel; ++c) sums[c] = 0;
  for (int64_t k = 0; k < depth; ++k) {
    const int8_t* w = panel + k / kInt8Depth * kInt8Depth * kInt8Panel + k % kInt8Depth;
    for (int64_t c = 0; c < kInt8Panel; ++c) sums[c] += static_cast<int32_t>(x[k]) * w[c * kInt8Depth];
  }
}

SOFTPROMPT_INLINE void formula(const Int8Product& p) {
  const int64_t depth = int8Depth(p.depth);
  for (int64_t first = p.from / kInt8Panel * kInt8Panel; first < p.to; first += kInt8Panel)
    for (int64_t row = 0; row < p.x.rows; ++row) {
      int32_t sums[kInt8Panel];
      sumsOf(p.x.values + row * depth, p.weight.panels + first * depth, p.depth, sums);
      for (int64_t column = first < p.from ? p.from : first; column < p.to && column < first + kInt8Panel; ++column) {
        const auto sum = static_cast<float>(sums[column - first] - p.weight.sums[column]);
        const float value = sum * (p.x.scales[row] * p.weight.scales[column]);
        float& y = p.y[row * p.stride + column - p.from];
        y = p.adds ? y + value : value;
      }
    }
}

#if defined(SOFTPROMPT_VNNI_PRODUCT)
bool hasVnni() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  return has;
}
#endif

}  // namespace

SOFTPROMPT_CLONES void toInt8(const float* x, int64_t rows, int64_t depth, uint8_t* values, float* scales) {
  body(x, rows, depth, values, scales);
}
SOFTPROMPT_CLONES void toInt8(const uint16_t* x, int64_t rows, int64_t depth, uint8_t* values, float* scales) {
  body(x, rows, depth, values, scales);
}

void panelToInt8(const float* w, int64_t columns, int64_t depth, int8_t* panel, float* scales, int32_t* sums) {
  std::fill_n(panel, kInt8Panel * int8Depth(depth), int8_t{0});
  std::fill_n(scales, kInt8Panel, 0.0f);
  std::fill_n(sums, kInt8Panel, 0);
  for (int64_t c = 0; c < columns; ++c, w += depth) {
    const float largest = largestOf(w, depth);
    const float inverse = largest > 0 ? kLargest / largest : 0.0f;
    scales[c] = largest / kLargest;
    for (int64_t k = 0; k < depth; ++k) {
      const auto value = static_cast<int8_t>(std::lrint(w[k] * inverse));
      panel[(k / kInt8Depth * kInt8Panel + c) * kInt8Depth + k % kInt8Depth] = value;
      sums[c] += 128 * value;
    }
  }
}

SOFTPROMPT_CLONES void multiplyPlainly(const Int8Product& product) {
  formula(product);
}

void multiply(const Int8Product& product) {
#if defined(SOFTPROMPT_VNNI_PRODUCT)
  if (hasVnni()) return multiplyVnni(product);
#endif
  multiplyPlainly(product);
}

}  // namespace softprompt
