#include "core/ops/int8_product.h"

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
  for (int64_t row = 0; row < rows; ++row, x += depth, values += depth) {
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

SOFTPROMPT_INLINE void formula(const Int8Product& p) {
  for (int64_t row = 0; row < p.x.rows; ++row) {
    const uint8_t* x = p.x.values + row * p.depth;
    for (int64_t column = 0; column < p.columns; ++column) {
      const int8_t* w = p.weight.values + column * p.depth;
      int32_t sum = 0;
      for (int64_t k = 0; k < p.depth; ++k) sum += static_cast<int32_t>(x[k]) * w[k];
      const float value =
          static_cast<float>(sum - p.weight.sums[column]) * (p.x.scales[row] * p.weight.scales[column]);
      float& y = p.y[row * p.stride + column];
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

void weightToInt8(const float* w, int64_t columns, int64_t depth, int8_t* values, float* scales, int32_t* sums) {
  for (int64_t column = 0; column < columns; ++column, w += depth, values += depth) {
    const float largest = largestOf(w, depth);
    scales[column] = largest / kLargest;
    const float inverse = largest > 0 ? kLargest / largest : 0.0f;
    int32_t sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      values[k] = static_cast<int8_t>(std::lrint(w[k] * inverse));
      sum += values[k];
    }
    sums[column] = 128 * sum;
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
