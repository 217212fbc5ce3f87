// Products in 8-bit numbers: y = x W^T with a scale for each row of x, found as it comes, and one for each row of W.
// Sums are exact, so a row's result is the same to the bit in any batch and by any kernel.
#pragma once

#include <cstdint>

namespace softprompt {

// Rows x = scale * (value - 128).
struct Int8Rows {
  const uint8_t* values;  // [rows, depth]
  const float* scales;    // [rows]
  int64_t rows;
};

// x [rows, depth] of float32 or bfloat16's bits, each row's largest number becoming 127. A row with a number that is
// not finite gets a scale that is none either.
void toInt8(const float* x, int64_t rows, int64_t depth, uint8_t* values, float* scales);
void toInt8(const uint16_t* x, int64_t rows, int64_t depth, uint8_t* values, float* scales);

// Weights w = scale * value.
struct Int8Weight {
  const int8_t* values;  // [columns, depth], -127 .. 127
  const float* scales;   // [columns]
  const int32_t* sums;   // [columns]: 128 times the sum of the values
};

// w [columns, depth] -> the three above.
void weightToInt8(const float* w, int64_t columns, int64_t depth, int8_t* values, float* scales, int32_t* sums);

// depth: at most 66,000, as the sums of an 11B model's 65,536 products just fit into 32 bits.
struct Int8Product {
  Int8Rows x;
  Int8Weight weight;
  int64_t columns;
  int64_t depth;
  float* y;  // [rows, columns], a row every `stride` numbers
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
