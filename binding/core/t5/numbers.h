// The three kinds of floating-point numbers in checkpoints, in plain loops over pieces that stay in the cache.
#pragma once

#include <cstddef>
#include <cstdint>

namespace softprompt {

void bfloat16ToFloat(const uint16_t* from, float* to, size_t n);
void float16ToFloat(const uint16_t* from, float* to, size_t n);
// To the nearest, ties to even; `from` is finite.
void floatToBfloat16(const float* from, uint16_t* to, size_t n);
bool allFinite(const float* values, size_t n);

}  // namespace softprompt
