// Compiled for AVX-512 as a whole: no inline function of a header may be used here, as the linker could choose this
// file's copy for the whole library.
#include "core/ops/product.h"

#if defined(SOFTPROMPT_AVX512_PRODUCT)

#include <immintrin.h>

namespace softprompt {
namespace {

constexpr int64_t kColumns = 4;  // of a tile: their four sums leave as one store
constexpr int64_t kLine = 64;
constexpr int64_t kBlockBytes = 16 * 1024;  // of weights that stay in the first cache while all rows pass by

struct Float {
  using Element = float;
  using Vector = __m512;
  static constexpr int64_t kWidth = 16;
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static Vector loadSome(const float* from, int64_t count) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
  }
  static void add(__m512& sum, Vector a, Vector b) { sum = _mm512_fmadd_ps(a, b, sum); }
};

struct Bfloat16 {
  using Element = uint16_t;
  using Vector = __m512i;
  static constexpr int64_t kWidth = 32;
  static Vector load(const uint16_t* from) { return _mm512_loadu_si512(from); }
  static Vector loadSome(const uint16_t* from, int64_t count) {
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((1ull << count) - 1), from);
  }
  static void add(__m512& sum, Vector a, Vector b) {
    sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

// The sums of four vectors.
__m128 sumsOf(const __m512 (&v)[kColumns]) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
  const __m512 low = _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0));
  const __m512 high = _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2));
  const __m512 abcd = _mm512_add_ps(low, high);
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

// R rows of x by four of the weight, of which `columns` are there; the others are computed from the last one.
template <class Kind, int R>
void tile(const Product<typename Kind::Element>& p, int64_t row, int64_t column, int64_t columns) {
  using Element = typename Kind::Element;
  const Element* x = p.x + row * p.depth;
  const Element* w[kColumns];
  for (int64_t c = 0; c < kColumns; ++c) w[c] = p.weight + (column + (c < columns ? c : columns - 1)) * p.depth;
  __m512 sums[R][kColumns];
  for (int r = 0; r < R; ++r)
    for (int64_t c = 0; c < kColumns; ++c) sums[r][c] = _mm512_setzero_ps();
  const int64_t k = p.depth / Kind::kWidth * Kind::kWidth;
  if constexpr (R == 1) {  // column by column: one stream of weights, which the processor reads ahead
    for (int64_t c = 0; c < kColumns; ++c)
      for (int64_t i = 0; i < k; i += Kind::kWidth) Kind::add(sums[0][c], Kind::load(x + i), Kind::load(w[c] + i));
  } else {
    for (int64_t i = 0; i < k; i += Kind::kWidth) {
      typename Kind::Vector left[R];
      for (int r = 0; r < R; ++r) left[r] = Kind::load(x + r * p.depth + i);
      for (int64_t c = 0; c < kColumns; ++c) {
        const auto right = Kind::load(w[c] + i);
        for (int r = 0; r < R; ++r) Kind::add(sums[r][c], left[r], right);
      }
    }
  }
  if (k < p.depth) {
    for (int r = 0; r < R; ++r) {
      const auto left = Kind::loadSome(x + r * p.depth + k, p.depth - k);
      for (int64_t c = 0; c < kColumns; ++c) Kind::add(sums[r][c], left, Kind::loadSome(w[c] + k, p.depth - k));
    }
  }
  const auto there = static_cast<__mmask8>((1u << columns) - 1);
  for (int r = 0; r < R; ++r) {
    float* y = p.y + (row + r) * p.stride + column;
    const __m128 sum = sumsOf(sums[r]);
    _mm_mask_storeu_ps(y, there, p.adds ? _mm_add_ps(_mm_maskz_loadu_ps(there, y), sum) : sum);
  }
}

// The weights of the next block, fetched while this one is multiplied: so many lines a tile.
struct Ahead {
  const char* next;
  const char* end;
  int64_t lines;

  void fetch() {
    for (int64_t i = 0; i < lines && next < end; ++i, next += kLine) _mm_prefetch(next, _MM_HINT_T1);
  }
};

template <class Kind, int R>
void rowsBy(const Product<typename Kind::Element>& p, int64_t row, int64_t from, int64_t to, Ahead& ahead) {
  for (int64_t column = from; column < to; column += kColumns) {
    ahead.fetch();
    tile<Kind, R>(p, row, column, to - column < kColumns ? to - column : kColumns);
  }
}

template <class Kind>
Ahead aheadOf(const Product<typename Kind::Element>& p, int64_t to, int64_t block) {
  if (p.rows == 1) return {nullptr, nullptr, 0};
  const int64_t last = to + block < p.columns ? to + block : p.columns;
  const auto* next = reinterpret_cast<const char*>(p.weight + to * p.depth);
  const auto* end = reinterpret_cast<const char*>(p.weight + last * p.depth);
  const int64_t tiles = (p.rows + 3) / 4 * ((block + kColumns - 1) / kColumns);
  return {next, end, ((end - next) / kLine + tiles - 1) / tiles};
}

template <class Kind>
void multiplyAs(const Product<typename Kind::Element>& p) {
  const int64_t fitting = kBlockBytes / (p.depth * static_cast<int64_t>(sizeof(typename Kind::Element)));
  const int64_t block = fitting < kColumns ? kColumns : fitting / kColumns * kColumns;
  for (int64_t from = 0; from < p.columns; from += block) {
    const int64_t to = from + block < p.columns ? from + block : p.columns;
    Ahead ahead = aheadOf<Kind>(p, to, block);
    int64_t row = 0;
    for (; row + 4 <= p.rows; row += 4) rowsBy<Kind, 4>(p, row, from, to, ahead);
    if (p.rows - row == 3) rowsBy<Kind, 3>(p, row, from, to, ahead);
    if (p.rows - row == 2) rowsBy<Kind, 2>(p, row, from, to, ahead);
    if (p.rows - row == 1) rowsBy<Kind, 1>(p, row, from, to, ahead);
  }
}

}  // namespace

void multiplyAvx512(const Product<float>& product) {
  multiplyAs<Float>(product);
}
void multiplyAvx512(const Product<uint16_t>& product) {
  multiplyAs<Bfloat16>(product);
}

}  // namespace softprompt

#endif
