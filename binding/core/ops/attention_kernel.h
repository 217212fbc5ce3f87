// The attention of one row and head, forward and backward, on packed words (packed_product.h, whose rule of inclusion
// holds here too).
//
// Letters: T queries, S keys, K d_kv; P the softmax's numbers, dP the gradient at them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/ops/avx512.h"
#include "core/ops/packed_product.h"

namespace softprompt {
namespace {

// Heads side by side in tokens: number k of head h of token n is at data[n * stride + h * K + k].
template <class N>
struct Heads {
  typename N::Number* data;
  int64_t stride;

  Heads of(int64_t token, int64_t head, int64_t size) const { return {data + token * stride + head * size, stride}; }
  typename N::Number* row(int64_t token) const { return data + token * stride; }
};

// float32; data is null where there is no bias.
struct BiasView {
  const float* data = nullptr;
  int64_t head = 0, row = 0;

  BiasView of(int64_t h) const { return {data ? data + h * head : nullptr, head, row}; }
};

template <class N>
struct AttentionKernel {
  using Word = typename N::Word;
  static constexpr bool kIsFloat = std::is_same_v<N, Float32>;

  Heads<N> q, k, v;
  BiasView bias;
  int64_t queries, keys, size;
  float* logSumExp;  // [T]

  // Queries a block: their scores stay in the cache of the second level.
  int64_t block() const { return std::min(queries, keys > 256 ? int64_t{32} : int64_t{64}); }
  int64_t wideKeys() const { return roundUp(keys, 16 * N::kPerWord); }  // numbers of a row of scores
  int64_t wideSize() const { return roundUp(size, 16); }
  static int64_t words(int64_t numbers) { return (numbers + N::kPerWord - 1) / N::kPerWord; }

  void forward(Heads<N> out, Scratch& scratch);
  // distances: null, or where the gradient of the bias is added: that of key s and query t at distances[s - t].
  void backward(Heads<N> gradient, Heads<N> dq, Heads<N> dk, Heads<N> dv, float* distances, Scratch& scratch);

 private:
  // Scores of `count` queries from `first`, with their bias; -inf behind the last key. [count, wideKeys]
  void scores(int64_t first, int64_t count, const Word* keyColumns, float* to) const {
    multiply<N>(left(q, first), {keyColumns, wideKeys()}, {to, wideKeys(), false}, count, wideKeys() / 16, words(size));
    for (int64_t t = 0; t < count; ++t) addBias(first + t, to + t * wideKeys());
  }
  void addBias(int64_t query, float* to) const {
    const float* add = bias.data ? bias.data + query * bias.row : nullptr;
    const __m512 nothing = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    for (int64_t s = 0; s < wideKeys(); s += 16) {
      const __mmask16 real = firstLanes(keys - s);
      __m512 x = _mm512_loadu_ps(to + s);
      if (add) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(real, add + s));
      _mm512_storeu_ps(to + s, _mm512_mask_blend_ps(real, nothing, x));
    }
  }

  static Left<N> left(Heads<N> heads, int64_t first) {
    return {reinterpret_cast<const Word*>(heads.row(first)), heads.stride / N::kPerWord, 1};
  }

  void addTo(float* distances, const float* slope) const;
  void columnsOf(Heads<N> heads, Word* to) const;
  void pairsOf(Heads<N> heads, int64_t first, int64_t count, Word* to) const;
  static void store(Heads<N> to, int64_t token, const float* from, int64_t size, float scale);
  static void toWords(const float* from, int64_t wide, Word* to);
  static void toPairs(const float* from, int64_t count, int64_t wide, Word* to);
};

// heads' [S, K] turned: word w of key s at to[w * wideKeys + s]; zeros behind the last key.
template <class N>
void AttentionKernel<N>::columnsOf(Heads<N> heads, Word* to) const {
  const int64_t wide = wideKeys(), height = words(size);
  __m512i block[16];
  for (int64_t s = 0; s < wide; s += 16) {
    for (int64_t w = 0; w < height; w += 16) {
      for (int64_t i = 0; i < 16; ++i) {
        const __mmask16 real = s + i < keys ? firstLanes(height - w) : 0;
        const Word* from = reinterpret_cast<const Word*>(heads.row(std::min(s + i, keys - 1))) + w;
        block[i] = _mm512_maskz_loadu_epi32(real, from);
      }
      transpose(block);
      for (int64_t i = 0; i < std::min<int64_t>(16, height - w); ++i)
        _mm512_storeu_si512(to + (w + i) * wide + s, block[i]);
    }
  }
}

// `count` tokens from `first`, neighbours in one word: to[w * wideSize + k]; zeros behind the last number and token.
template <class N>
void AttentionKernel<N>::pairsOf(Heads<N> heads, int64_t first, int64_t count, Word* to) const {
  const int64_t wide = wideSize();
  for (int64_t w = 0; w < words(count); ++w, to += wide) {
    for (int64_t c = 0; c < wide; c += 16) {
      const __mmask16 real = firstLanes(size - c);
      if constexpr (kIsFloat) {
        _mm512_storeu_ps(to + c, _mm512_maskz_loadu_ps(real, heads.row(first + w) + c));
      } else {
        const auto half = [&](int64_t token) {
          const __mmask16 mask = token < count ? real : 0;
          return _mm512_cvtepu16_epi32(
              _mm256_maskz_loadu_epi16(mask, heads.row(first + std::min(token, count - 1)) + c));
        };
        _mm512_storeu_si512(to + c, _mm512_or_si512(half(2 * w), _mm512_slli_epi32(half(2 * w + 1), 16)));
      }
    }
  }
}

template <class N>
void AttentionKernel<N>::store(Heads<N> to, int64_t token, const float* from, int64_t size, float scale) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (int64_t c = 0; c < size; c += 16) {
    const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(from + c), factor);
    if constexpr (kIsFloat) {
      _mm512_mask_storeu_ps(to.row(token) + c, firstLanes(size - c), x);
    } else {
      _mm256_mask_storeu_epi16(to.row(token) + c, firstLanes(size - c), toBfloat16(x));
    }
  }
}

// A row of `wide` numbers to words along itself.
template <class N>
void AttentionKernel<N>::toWords(const float* from, int64_t wide, Word* to) {
  if constexpr (kIsFloat) {
    std::memcpy(to, from, wide * sizeof(float));
  } else {
    for (int64_t s = 0; s < wide; s += 32) {
      const auto x = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + s + 16), _mm512_loadu_ps(from + s));
      _mm512_storeu_si512(to + s / 2, reinterpret_cast<__m512i>(x));
    }
  }
}

// [count, wide] numbers to words of neighbouring rows, [words(count), wide].
template <class N>
void AttentionKernel<N>::toPairs(const float* from, int64_t count, int64_t wide, Word* to) {
  if constexpr (kIsFloat) {
    std::memcpy(to, from, count * wide * sizeof(float));
  } else {
    for (int64_t t = 0; t < count; t += 2) {
      for (int64_t s = 0; s < wide; s += 16) {
        const float* x = from + t * wide + s;
        const __m512 next = t + 1 < count ? _mm512_loadu_ps(x + wide) : _mm512_setzero_ps();
        const __m512i low = _mm512_cvtepu16_epi32(toBfloat16(_mm512_loadu_ps(x)));
        const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(toBfloat16(next)), 16);
        _mm512_storeu_si512(to + t / 2 * wide + s, _mm512_or_si512(low, high));
      }
    }
  }
}

template <class N>
void AttentionKernel<N>::forward(Heads<N> out, Scratch& scratch) {
  const int64_t wide = wideKeys(), many = block();
  scratch.reserve(sizeof(float) *
                      (words(size) * wide + words(wide) * wideSize() + many * (wide + words(wide) + wideSize())) +
                  1024);
  scratch.rewind();
  Word* keyColumns = scratch.take<Word>(words(size) * wide);
  Word* values = scratch.take<Word>(words(wide) * wideSize());
  float* p = scratch.take<float>(many * wide);
  Word* weights = scratch.take<Word>(many * words(wide));
  float* context = scratch.take<float>(many * wideSize());
  columnsOf(k, keyColumns);
  pairsOf(v, 0, keys, values);

  float scale[64];
  for (int64_t first = 0; first < queries; first += many) {
    const int64_t count = std::min(many, queries - first);
    scores(first, count, keyColumns, p);
    for (int64_t t = 0; t < count; ++t) {
      float* row = p + t * wide;
      __m512 most = _mm512_loadu_ps(row);
      for (int64_t s = 16; s < wide; s += 16) most = _mm512_max_ps(most, _mm512_loadu_ps(row + s));
      const float largest = _mm512_reduce_max_ps(most);
      __m512 sum = _mm512_setzero_ps();
      for (int64_t s = 0; s < wide; s += 16) {
        const __m512 x = expOfNegative(_mm512_sub_ps(_mm512_loadu_ps(row + s), _mm512_set1_ps(largest)));
        sum = _mm512_add_ps(sum, x);
        _mm512_storeu_ps(row + s, x);
      }
      const float total = _mm512_reduce_add_ps(sum);
      scale[t] = 1 / total;
      logSumExp[first + t] = largest + std::log(total);
      toWords(row, wide, weights + t * words(wide));
    }
    multiply<N>({weights, words(wide), 1}, {values, wideSize()}, {context, wideSize(), false}, count, wideSize() / 16,
                words(keys));
    for (int64_t t = 0; t < count; ++t) store(out, first + t, context + t * wideSize(), size, scale[t]);
  }
}

template <class N>
void AttentionKernel<N>::addTo(float* distances, const float* slope) const {
  for (int64_t s = 0; s < keys; s += 16) {
    const __mmask16 real = firstLanes(keys - s);
    const __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(real, distances + s), _mm512_loadu_ps(slope + s));
    _mm512_mask_storeu_ps(distances + s, real, sum);
  }
}

template <class N>
void AttentionKernel<N>::backward(Heads<N> gradient, Heads<N> dq, Heads<N> dk, Heads<N> dv, float* distances,
                                  Scratch& scratch) {
  const int64_t wide = wideKeys(), many = block(), deep = wideSize();
  scratch.reserve(sizeof(float) * (2 * words(size) * wide + words(keys) * deep + 2 * keys * deep +
                                   many * (2 * wide + words(wide) + deep) + words(many) * (2 * wide + 2 * deep)) +
                  2048);
  scratch.rewind();
  Word* keyColumns = scratch.take<Word>(words(size) * wide);
  Word* valueColumns = scratch.take<Word>(words(size) * wide);
  Word* keyPairs = scratch.take<Word>(words(keys) * deep);
  float* keySums = scratch.take<float>(keys * deep);
  float* valueSums = scratch.take<float>(keys * deep);
  float* p = scratch.take<float>(many * wide);
  float* dp = scratch.take<float>(many * wide);
  Word* along = scratch.take<Word>(many * words(wide));
  float* context = scratch.take<float>(many * deep);
  Word* pPairs = scratch.take<Word>(words(many) * wide);
  Word* dpPairs = scratch.take<Word>(words(many) * wide);
  Word* queryPairs = scratch.take<Word>(words(many) * deep);
  Word* gradientPairs = scratch.take<Word>(words(many) * deep);
  columnsOf(k, keyColumns);
  columnsOf(v, valueColumns);
  pairsOf(k, 0, keys, keyPairs);

  for (int64_t first = 0; first < queries; first += many) {
    const int64_t count = std::min(many, queries - first);
    scores(first, count, keyColumns, p);
    multiply<N>(left(gradient, first), {valueColumns, wide}, {dp, wide, false}, count, wide / 16, words(size));
    for (int64_t t = 0; t < count; ++t) {
      float *row = p + t * wide, *slope = dp + t * wide;
      const __m512 shift = _mm512_set1_ps(logSumExp[first + t]);
      __m512 product = _mm512_setzero_ps();
      for (int64_t s = 0; s < wide; s += 16) {
        const __m512 x = expOfNegative(_mm512_sub_ps(_mm512_loadu_ps(row + s), shift));
        _mm512_storeu_ps(row + s, x);
        product = _mm512_fmadd_ps(x, _mm512_loadu_ps(slope + s), product);
      }
      const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(product));
      for (int64_t s = 0; s < wide; s += 16) {
        const __m512 difference = _mm512_sub_ps(_mm512_loadu_ps(slope + s), mean);
        _mm512_storeu_ps(slope + s, _mm512_mul_ps(_mm512_loadu_ps(row + s), difference));
      }
      if (distances) addTo(distances - (first + t), slope);
      toWords(slope, wide, along + t * words(wide));
    }
    multiply<N>({along, words(wide), 1}, {keyPairs, deep}, {context, deep, false}, count, deep / 16, words(keys));
    for (int64_t t = 0; t < count; ++t) store(dq, first + t, context + t * deep, size, 1);

    toPairs(p, count, wide, pPairs);
    toPairs(dp, count, wide, dpPairs);
    pairsOf(q, first, count, queryPairs);
    pairsOf(gradient, first, count, gradientPairs);
    multiply<N>({dpPairs, 1, wide}, {queryPairs, deep}, {keySums, deep, first > 0}, keys, deep / 16, words(count));
    multiply<N>({pPairs, 1, wide}, {gradientPairs, deep}, {valueSums, deep, first > 0}, keys, deep / 16, words(count));
  }
  for (int64_t s = 0; s < keys; ++s) {
    store(dk, s, keySums + s * deep, size, 1);
    store(dv, s, valueSums + s * deep, size, 1);
  }
}

}  // namespace
}  // namespace softprompt
