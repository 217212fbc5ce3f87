#include "core/ops/product.h"

#include <algorithm>

#include "core/ops/lanes.h"

namespace softprompt {
namespace {

using simd::Lanes;

// R rows of x by C of the weight.
template <int R, int C, class T>
SOFTPROMPT_INLINE void tile(const Product<T>& p, int64_t row, int64_t column) {
  const T* x = p.x + row * p.depth;
  const T* w = p.weight + column * p.depth;
  Lanes sums[R][C] = {};
  int64_t k = 0;
  for (; k + simd::kLanes <= p.depth; k += simd::kLanes) {
    Lanes left[R], right;
    for (int r = 0; r < R; ++r) simd::load(left[r], x + r * p.depth + k);
    for (int c = 0; c < C; ++c) {
      simd::load(right, w + c * p.depth + k);
      for (int r = 0; r < R; ++r) sums[r][c] += left[r] * right;
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) {
      float sum = simd::sum(sums[r][c]);
      for (int64_t rest = k; rest < p.depth; ++rest)
        sum += simd::toFloat(x[r * p.depth + rest]) * simd::toFloat(w[c * p.depth + rest]);
      float& y = p.y[(row + r) * p.stride + column + c];
      y = p.adds ? y + sum : sum;
    }
}

template <class T>
SOFTPROMPT_INLINE void body(const Product<T>& p) {
  int64_t column = 0;
  for (; column + 2 <= p.columns; column += 2) {
    int64_t row = 0;
    for (; row + 2 <= p.rows; row += 2) tile<2, 2>(p, row, column);
    if (row < p.rows) tile<1, 2>(p, row, column);
  }
  if (column < p.columns)
    for (int64_t row = 0; row < p.rows; ++row) tile<1, 1>(p, row, column);
}

#if defined(SOFTPROMPT_AVX512_PRODUCT)
bool hasAvx512() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has;
}
bool hasAvx512Bfloat16() {
  static const bool has = hasAvx512() && __builtin_cpu_supports("avx512bf16");
  return has;
}
#endif

}  // namespace

SOFTPROMPT_CLONES void multiplyPlainly(const Product<float>& product) {
  body(product);
}
SOFTPROMPT_CLONES void multiplyPlainly(const Product<uint16_t>& product) {
  body(product);
}

void multiply(const Product<float>& product) {
#if defined(SOFTPROMPT_AVX512_PRODUCT)
  if (hasAvx512()) return multiplyAvx512(product);
#endif
  multiplyPlainly(product);
}

void multiply(const Product<uint16_t>& product) {
#if defined(SOFTPROMPT_AVX512_PRODUCT)
  if (hasAvx512Bfloat16()) return multiplyAvx512(product);
#endif
  multiplyPlainly(product);
}

}  // namespace softprompt
