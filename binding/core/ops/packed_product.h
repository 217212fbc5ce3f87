// Products of small matrices in AVX-512, for use inside other operators: C = A B with A and B laid as words along the
// inner dimension, float32 sums. A word is a float, or two bfloat16 numbers that are neighbours there.
//
// Include it below `#pragma GCC target`: everything here is compiled for the includer's processor, and has internal
// linkage so that no other file can come to run it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace softprompt {
namespace {

struct Float32 {
  using Number = float;
  using Word = float;
  static constexpr int64_t kPerWord = 1;
  static __m512 load(const Word* p) { return _mm512_loadu_ps(p); }
  static __m512 everywhere(const Word* p) { return _mm512_set1_ps(*p); }
  static __m512 multiplyAdd(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }
};

struct Bfloat16 {
  using Number = uint16_t;
  using Word = uint32_t;
  static constexpr int64_t kPerWord = 2;
  static __m512i load(const Word* p) { return _mm512_loadu_si512(p); }
  static __m512i everywhere(const Word* p) { return _mm512_set1_epi32(static_cast<int32_t>(*p)); }
  static __m512 multiplyAdd(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

// Word k of row m of A is at data[m * row + k * step].
template <class N>
struct Left {
  const typename N::Word* data;
  int64_t row, step;
};

// Word k of column n of B is at data[k * step + n].
template <class N>
struct Right {
  const typename N::Word* data;
  int64_t step;
};

struct Product {
  float* data;
  int64_t row;
  bool isAdded;  // to what is there
};

template <class N, int kRows, int kVectors>
inline void tile(Left<N> a, Right<N> b, Product c, int64_t words) {
  __m512 sum[kRows][kVectors];
  for (int m = 0; m < kRows; ++m)
    for (int n = 0; n < kVectors; ++n)
      sum[m][n] = c.isAdded ? _mm512_loadu_ps(c.data + m * c.row + 16 * n) : _mm512_setzero_ps();
  for (int64_t k = 0; k < words; ++k) {
    decltype(N::load(b.data)) column[kVectors];
    for (int n = 0; n < kVectors; ++n) column[n] = N::load(b.data + k * b.step + 16 * n);
    for (int m = 0; m < kRows; ++m) {
      const auto x = N::everywhere(a.data + m * a.row + k * a.step);
      for (int n = 0; n < kVectors; ++n) sum[m][n] = N::multiplyAdd(sum[m][n], x, column[n]);
    }
  }
  for (int m = 0; m < kRows; ++m)
    for (int n = 0; n < kVectors; ++n) _mm512_storeu_ps(c.data + m * c.row + 16 * n, sum[m][n]);
}

template <class N, int kVectors>
inline void strip(Left<N> a, Right<N> b, Product c, int64_t rows, int64_t words) {
  constexpr int kRows = 6;  // 6 x 4 sums, 4 columns and a word of A: 29 of 32 registers
  int64_t m = 0;
  const auto advance = [&](int64_t by) {
    m += by;
    a.data += by * a.row;
    c.data += by * c.row;
  };
  for (; m + kRows <= rows; advance(kRows)) tile<N, kRows, kVectors>(a, b, c, words);
  for (; m + 2 <= rows; advance(2)) tile<N, 2, kVectors>(a, b, c, words);
  if (m < rows) tile<N, 1, kVectors>(a, b, c, words);
}

// C [rows, 16 vectors] = A [rows, words] B [words, 16 vectors]. B and C have room for whole vectors.
template <class N>
inline void multiply(Left<N> a, Right<N> b, Product c, int64_t rows, int64_t vectors, int64_t words) {
  for (; vectors >= 4; vectors -= 4, b.data += 64, c.data += 64) strip<N, 4>(a, b, c, rows, words);
  if (vectors == 3) strip<N, 3>(a, b, c, rows, words);
  if (vectors == 2) strip<N, 2>(a, b, c, rows, words);
  if (vectors == 1) strip<N, 1>(a, b, c, rows, words);
}

}  // namespace
}  // namespace softprompt
