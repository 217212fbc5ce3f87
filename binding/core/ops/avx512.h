// Small things in AVX-512 that our kernels share (packed_product.h's rule of inclusion holds here too).
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <memory>

namespace softprompt {
namespace {

inline int64_t roundUp(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// Memory of a thread, grown as needed and never given back before the end; aligned to the cache's lines.
class Scratch {
 public:
  void reserve(int64_t bytes) {
    if (bytes <= size_) return;
    memory_.reset(new char[bytes + 64]);
    size_ = bytes;
  }
  void rewind() { used_ = 0; }
  template <class T>
  T* take(int64_t count) {
    char* start = memory_.get() + (64 - reinterpret_cast<uintptr_t>(memory_.get()) % 64) % 64;
    T* out = reinterpret_cast<T*>(start + used_);
    used_ += roundUp(count * static_cast<int64_t>(sizeof(T)), 64);
    return out;
  }

 private:
  std::unique_ptr<char[]> memory_;
  int64_t size_ = 0, used_ = 0;
};

inline __mmask16 firstLanes(int64_t n) {
  return n >= 16 ? 0xffff : n <= 0 ? 0 : static_cast<__mmask16>((1u << n) - 1);
}

// To the nearest, as words of 16 bits.
inline __m256i toBfloat16(__m512 x) {
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
}

// e^x to 2e-7 relative for x <= 0; exactly 0 from -87 down; a NaN stays one.
inline __m512 expOfNegative(__m512 x) {
  const __mmask16 isLarge = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.0f), _CMP_NLE_UQ);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);  // ln 2 in two parts
  __m512 p = _mm512_set1_ps(1.0f / 720);
  for (const float c : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
  return _mm512_maskz_scalef_ps(isLarge, p, n);
}

// 16 x 16 words, in place: lane j of block[i] becomes lane i of block[j].
inline void transpose(__m512i (&block)[16]) {
  __m512i half[16];
  for (int i = 0; i < 16; i += 2) {  // pairs of rows, word by word
    half[i] = _mm512_unpacklo_epi32(block[i], block[i + 1]);
    half[i + 1] = _mm512_unpackhi_epi32(block[i], block[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // four rows: each 128 bits hold one column's four words
    for (int j = 0; j < 2; ++j) {
      block[i + 2 * j] = _mm512_unpacklo_epi64(half[i + j], half[i + j + 2]);
      block[i + 2 * j + 1] = _mm512_unpackhi_epi64(half[i + j], half[i + j + 2]);
    }
  }
  for (int j = 0; j < 4; ++j) {  // eight rows, then sixteen: columns j, j + 4, j + 8 and j + 12
    const __m512i a = _mm512_shuffle_i32x4(block[j], block[4 + j], 0x88);
    const __m512i b = _mm512_shuffle_i32x4(block[8 + j], block[12 + j], 0x88);
    const __m512i c = _mm512_shuffle_i32x4(block[j], block[4 + j], 0xdd);
    const __m512i d = _mm512_shuffle_i32x4(block[8 + j], block[12 + j], 0xdd);
    half[j] = _mm512_shuffle_i32x4(a, b, 0x88);
    half[j + 8] = _mm512_shuffle_i32x4(a, b, 0xdd);
    half[j + 4] = _mm512_shuffle_i32x4(c, d, 0x88);
    half[j + 12] = _mm512_shuffle_i32x4(c, d, 0xdd);
  }
  for (int i = 0; i < 16; ++i) block[i] = half[i];
}

}  // namespace
}  // namespace softprompt
