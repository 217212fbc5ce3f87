// Attention of one position to what came before, over keys and values that lie in blocks of 16 positions. In float32,
// not scaled by 1 / sqrt(K), as attention.h has it for whole rows.
#pragma once

#include <cstdint>
#include <span>

namespace softprompt {

constexpr int64_t kBlockPositions = 16;

// One head's keys and values in blocks of 16 positions; where there are many blocks, first all keys and then all
// values, as a processor reads ahead in long streams only. A key's numbers stand in columns, so that 16 scores are
// summed side by side; a value's numbers are filled up to a multiple of 16.
struct BlockShape {
  int64_t size = 0;  // K, d_kv

  int64_t padded() const { return (size + 15) / 16 * 16; }
  int64_t keys() const { return size * kBlockPositions; }        // [K, 16]
  int64_t values() const { return padded() * kBlockPositions; }  // [16, padded]
  int64_t numbers() const { return keys() + values(); }          // of a block
};

// Positions first .. first + 15 of which those in `mask` are meant: bit i is first + i. No two parts share a position.
template <class T>
struct PastPart {
  const T* keys;    // [K, 16]
  const T* values;  // [16, padded]
  int64_t first;
  uint32_t mask;
};

// softmax(q keys^T + bias) values of one head. T: float or bfloat16's bits. bias [positions] or null; `scores` is room
// for `positions` numbers, rounded up to 16. The parts hold positions 0 .. positions - 1.
void attend(const float* q, std::span<const PastPart<float>> past, const float* bias, int64_t positions,
            BlockShape shape, float* scores, float* out);
void attend(const float* q, std::span<const PastPart<uint16_t>> past, const float* bias, int64_t positions,
            BlockShape shape, float* scores, float* out);

// Puts a position's key and value [K] at `place` of its block.
template <class T>
struct Placing {
  const float* key;
  const float* value;
  int64_t place;
  T* keys;
  T* values;
};
void placeInBlock(const Placing<float>& placing, BlockShape shape);
void placeInBlock(const Placing<uint16_t>& placing, BlockShape shape);

}  // namespace softprompt
