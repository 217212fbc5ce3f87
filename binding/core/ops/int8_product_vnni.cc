// Compiled for AVX-512 with VNNI as a whole: product_avx512.cc's rule of inclusion holds here too.
#include "core/ops/int8_product.h"

#if defined(SOFTPROMPT_VNNI_PRODUCT)

#include <immintrin.h>

namespace softprompt {
namespace {

constexpr int64_t kColumns = 4;  // of a tile: their four sums leave as one store
constexpr int64_t kWidth = 64;
constexpr int64_t kBlockBytes = 16 * 1024;  // of weights that stay in the first cache while all rows pass by

__m128i sumsOf(const __m512i (&v)[kColumns]) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

__m512i loadSome(const void* from, int64_t count) {
  return _mm512_maskz_loadu_epi8((1ull << count) - 1, from);
}

// R rows of x by four of the weight, of which `columns` are there; the others are computed from the last one.
template <int R>
void tile(const Int8Product& p, int64_t row, int64_t column, int64_t columns) {
  const uint8_t* x = p.x.values + row * p.depth;
  const int8_t* w[kColumns];
  for (int64_t c = 0; c < kColumns; ++c) w[c] = p.weight.values + (column + (c < columns ? c : columns - 1)) * p.depth;
  __m512i sums[R][kColumns];
  for (int r = 0; r < R; ++r)
    for (int64_t c = 0; c < kColumns; ++c) sums[r][c] = _mm512_setzero_si512();
  const int64_t k = p.depth / kWidth * kWidth;
  if constexpr (R == 1) {  // column by column: one stream of weights, which the processor reads ahead
    for (int64_t c = 0; c < kColumns; ++c)
      for (int64_t i = 0; i < k; i += kWidth)
        sums[0][c] = _mm512_dpbusd_epi32(sums[0][c], _mm512_loadu_si512(x + i), _mm512_loadu_si512(w[c] + i));
  } else {
    for (int64_t i = 0; i < k; i += kWidth) {
      __m512i left[R];
      for (int r = 0; r < R; ++r) left[r] = _mm512_loadu_si512(x + r * p.depth + i);
      for (int64_t c = 0; c < kColumns; ++c) {
        const __m512i right = _mm512_loadu_si512(w[c] + i);
        for (int r = 0; r < R; ++r) sums[r][c] = _mm512_dpbusd_epi32(sums[r][c], left[r], right);
      }
    }
  }
  if (k < p.depth) {
    for (int r = 0; r < R; ++r) {
      const __m512i left = loadSome(x + r * p.depth + k, p.depth - k);
      for (int64_t c = 0; c < kColumns; ++c)
        sums[r][c] = _mm512_dpbusd_epi32(sums[r][c], left, loadSome(w[c] + k, p.depth - k));
    }
  }
  const auto there = static_cast<__mmask8>((1u << columns) - 1);
  const __m128i offsets = _mm_maskz_loadu_epi32(there, p.weight.sums + column);
  const __m128 scales = _mm_maskz_loadu_ps(there, p.weight.scales + column);
  for (int r = 0; r < R; ++r) {
    float* y = p.y + (row + r) * p.stride + column;
    const __m128 sum = _mm_cvtepi32_ps(_mm_sub_epi32(sumsOf(sums[r]), offsets));
    const __m128 value = _mm_mul_ps(sum, _mm_mul_ps(_mm_set1_ps(p.x.scales[row + r]), scales));
    _mm_mask_storeu_ps(y, there, p.adds ? _mm_add_ps(_mm_maskz_loadu_ps(there, y), value) : value);
  }
}

// The weights of the next block, fetched while this one is multiplied: so many lines a tile.
struct Ahead {
  const int8_t* next;
  const int8_t* end;
  int64_t lines;

  void fetch() {
    for (int64_t i = 0; i < lines && next < end; ++i, next += kWidth)
      _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
  }
};

Ahead aheadOf(const Int8Product& p, int64_t to, int64_t block) {
  if (p.x.rows == 1) return {nullptr, nullptr, 0};
  const int64_t last = to + block < p.columns ? to + block : p.columns;
  const int8_t *next = p.weight.values + to * p.depth, *end = p.weight.values + last * p.depth;
  const int64_t tiles = (p.x.rows + 3) / 4 * ((block + kColumns - 1) / kColumns);
  return {next, end, ((end - next) / kWidth + tiles - 1) / tiles};
}

template <int R>
void rowsBy(const Int8Product& p, int64_t row, int64_t from, int64_t to, Ahead& ahead) {
  for (int64_t column = from; column < to; column += kColumns) {
    ahead.fetch();
    tile<R>(p, row, column, to - column < kColumns ? to - column : kColumns);
  }
}

}  // namespace

void multiplyVnni(const Int8Product& p) {
  const int64_t fitting = kBlockBytes / p.depth;
  const int64_t block = fitting < kColumns ? kColumns : fitting / kColumns * kColumns;
  for (int64_t from = 0; from < p.columns; from += block) {
    const int64_t to = from + block < p.columns ? from + block : p.columns;
    Ahead ahead = aheadOf(p, to, block);
    int64_t row = 0;
    for (; row + 4 <= p.x.rows; row += 4) rowsBy<4>(p, row, from, to, ahead);
    if (p.x.rows - row == 3) rowsBy<3>(p, row, from, to, ahead);
    if (p.x.rows - row == 2) rowsBy<2>(p, row, from, to, ahead);
    if (p.x.rows - row == 1) rowsBy<1>(p, row, from, to, ahead);
  }
}

}  // namespace softprompt

#endif
