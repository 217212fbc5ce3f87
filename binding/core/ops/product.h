// Products with few rows, as decoding has them: y = x W^T with the weights as they lie in the checkpoint, streamed once
// for all rows. A sum's order depends on its length alone, so that a row's result is the same to the bit in any batch.
#pragma once

#include <cstdint>

namespace softprompt {

// T: float, or bfloat16 by its bits (uint16_t; see simd.h). x and weight are of one kind; sums are float32.
template <class T>
struct Product {
  const T* x;  // [rows, depth]
  int64_t rows;
  const T* weight;  // [columns, depth]
  int64_t columns;
  int64_t depth;
  float* y;  // [rows, columns], a row every `stride` numbers
  int64_t stride;
  bool adds = false;  // y += instead of y =
};

void multiply(const Product<float>& product);
void multiply(const Product<uint16_t>& product);

// The same without a special instruction: what `multiply` falls back on.
void multiplyPlainly(const Product<float>& product);
void multiplyPlainly(const Product<uint16_t>& product);

#if defined(__x86_64__) && defined(__linux__)
#define SOFTPROMPT_AVX512_PRODUCT 1
// For processors with AVX-512 (F, BW, DQ, VL), the second with its BF16 too.
void multiplyAvx512(const Product<float>& product);
void multiplyAvx512(const Product<uint16_t>& product);
#endif

}  // namespace softprompt
