// Compiled for AVX-512 with VNNI as a whole: product_avx512.cc's rule of inclusion holds here too.
#include "core/ops/int8_product.h"

#if defined(SOFTPROMPT_VNNI_PRODUCT)

#include <immintrin.h>

namespace softprompt {
namespace {

constexpr int kRows = 8;       // of a tile
constexpr int64_t kStep = 64;  // bytes of a panel: four numbers of each of its columns

__m512i fourOf(const uint8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, sizeof four);
  return _mm512_set1_epi32(four);
}

// Sixteen columns of a row, those that are wanted.
void leave(const Int8Product& p, int64_t row, int64_t panel, __m512i sums) {
  const int64_t first = panel * kInt8Panel;
  const int64_t skipped = p.from > first ? p.from - first : 0, end = p.to - first < 16 ? p.to - first : 16;
  const auto wanted = static_cast<__mmask16>(((1u << end) - 1) & ~((1u << skipped) - 1));
  const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums, _mm512_loadu_si512(p.weight.sums + first)));
  const __m512 scales = _mm512_loadu_ps(p.weight.scales + first);
  const __m512 value = _mm512_mul_ps(sum, _mm512_mul_ps(_mm512_set1_ps(p.x.scales[row]), scales));
  float* y = p.y + row * p.stride + (first - p.from);
  _mm512_mask_storeu_ps(y, wanted, p.adds ? _mm512_add_ps(_mm512_maskz_loadu_ps(wanted, y), value) : value);
}

// R rows by P panels. `ahead`: where the weights are that come next.
template <int R, int P>
void tile(const Int8Product& p, int64_t row, int64_t panel, int64_t ahead) {
  const int64_t depth = int8Depth(p.depth), bytes = depth * kInt8Panel;
  const uint8_t* x = p.x.values + row * depth;
  const int8_t* w = p.weight.panels + panel * bytes;
  __m512i sums[R][P];
  for (int r = 0; r < R; ++r)
    for (int i = 0; i < P; ++i) sums[r][i] = _mm512_setzero_si512();
  for (int64_t k = 0; k < depth; k += kInt8Depth, w += kStep) {
    __m512i right[P];
    for (int i = 0; i < P; ++i) {
      right[i] = _mm512_loadu_si512(w + i * bytes);
      if (ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(w + i * bytes + ahead), _MM_HINT_T1);
    }
    for (int r = 0; r < R; ++r) {
      const __m512i left = fourOf(x + r * depth + k);
      for (int i = 0; i < P; ++i) sums[r][i] = _mm512_dpbusd_epi32(sums[r][i], left, right[i]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int i = 0; i < P; ++i) leave(p, row + r, panel + i, sums[r][i]);
}

// One row: one stream of weights, in four sums so that none waits for the last.
void line(const Int8Product& p, int64_t panel) {
  const int64_t depth = int8Depth(p.depth);
  const uint8_t* x = p.x.values;
  const int8_t* w = p.weight.panels + panel * depth * kInt8Panel;
  __m512i sums[4];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  int64_t k = 0;
  for (; k + 4 * kInt8Depth <= depth; k += 4 * kInt8Depth, w += 4 * kStep)
    for (int i = 0; i < 4; ++i)
      sums[i] = _mm512_dpbusd_epi32(sums[i], fourOf(x + k + i * kInt8Depth), _mm512_loadu_si512(w + i * kStep));
  for (; k < depth; k += kInt8Depth, w += kStep)
    sums[0] = _mm512_dpbusd_epi32(sums[0], fourOf(x + k), _mm512_loadu_si512(w));
  leave(p, 0, panel, _mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3])));
}

template <int P>
void rowsBy(const Int8Product& p, int64_t panel, int64_t ahead) {
  int64_t row = 0;
  for (; row + kRows <= p.x.rows; row += kRows, ahead = 0) tile<kRows, P>(p, row, panel, ahead);
  switch (p.x.rows - row) {
    case 7:
      return tile<7, P>(p, row, panel, ahead);
    case 6:
      return tile<6, P>(p, row, panel, ahead);
    case 5:
      return tile<5, P>(p, row, panel, ahead);
    case 4:
      return tile<4, P>(p, row, panel, ahead);
    case 3:
      return tile<3, P>(p, row, panel, ahead);
    case 2:
      return tile<2, P>(p, row, panel, ahead);
    case 1:
      return tile<1, P>(p, row, panel, ahead);
    default:
      return;
  }
}

}  // namespace

void multiplyVnni(const Int8Product& p) {
  const int64_t end = (p.to + kInt8Panel - 1) / kInt8Panel, bytes = int8Depth(p.depth) * kInt8Panel;
  int64_t panel = p.from / kInt8Panel;
  if (p.x.rows == 1) {
    for (; panel < end; ++panel) line(p, panel);
    return;
  }
  for (; panel + 2 <= end; panel += 2) rowsBy<2>(p, panel, panel + 4 <= end ? 2 * bytes : 0);
  if (panel < end) rowsBy<1>(p, panel, 0);
}

}  // namespace softprompt

#endif
