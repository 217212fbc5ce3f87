// Products in 8-bit numbers: y = x W^T with a scale for each row of x, found as it comes, and one for each row of W.
// Sums are exact, so a row's result is the same to the bit in any batch and by any kernel.
#pragma once

#include <cstdint>

namespace softprompt {

// W [columns, depth] lies in panels of sixteen columns, four numbers of each column after the other: [columns / 16,
// depth / 4, 16, 4], both filled up with zeros. So a processor reads it as one stream, and sums sixteen columns side by
// side.
constexpr int64_t kInt8Panel = 16, kInt8Depth = 4;
constexpr int64_t int8Columns(int64_t columns) {
  return (columns + kInt8Panel - 1) / kInt8Panel * kInt8Panel;
}
constexpr int64_t int8Depth(int64_t depth) {
  return (depth + kInt8Depth - 1) / kInt8Depth * kInt8Depth;
}

// Rows x = scale * (value - 128).
struct Int8Rows {
  const uint8_t* values;  // [rows, int8Depth(depth)]
  const float* scales;    // [rows]
  int64_t rows;
};

// x [rows, depth] of float32 or bfloat16's bits, each row's largest number becoming 127. A row with a number that is
// not finite gets a scale that is none either.
void toInt8(const float* x, int64_t rows, int64_t depth, uint8_t* values, float* scales);
void toInt8(const uint16_t* x, int64_t rows, int64_t depth, uint8_t* values, float* scales);

// Weights w = scale * value, -127 .. 127.
struct Int8Weight {
  const int8_t* panels;
  const float* scales;  // [int8Columns(columns)]
  const int32_t* sums;  // the same: 128 times the sum of a column's values
};

// The next `columns` (at most 16) of w [columns, depth]: one panel, and 16 of each of the others.
void panelToInt8(const float* w, int64_t columns, int64_t depth, int8_t* panel, float* scales, int32_t* sums);

// depth: at most 66,000, as the sums of an 11B model's 65,536 products just fit into 32 bits.
struct Int8Product {
  Int8Rows x;
  Int8Weight weight;
  int64_t from, to;  // the columns that are wanted
  int64_t depth;
  float* y;  // [rows, to - from], a row every `stride` numbers
  int64_t stride;
  bool adds = false;  // y += instead of y =
};

void multiply(const Int8Product& product);
// The formula; what `multiply` falls back on.
void multiplyPlainly(const Int8Product& product);

#if defined(__x86_64__) && defined(__linux__)
#define SOFTPROMPT_VNNI_PRODUCT 1
// For processors with AVX-512 (F, BW, VL) and its VNNI.
void multiplyVnni(const Int8Product& product);
#endif

}  // namespace softprompt
