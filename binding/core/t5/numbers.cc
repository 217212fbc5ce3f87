#include "core/t5/numbers.h"

#include <c10/util/Half.h>

#include <bit>

#include "core/ops/simd.h"

namespace softprompt {

SOFTPROMPT_CLONES void bfloat16ToFloat(const uint16_t* from, float* to, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = std::bit_cast<float>(uint32_t{from[i]} << 16);
}

void float16ToFloat(const uint16_t* from, float* to, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = c10::detail::fp16_ieee_to_fp32_value(from[i]);
}

SOFTPROMPT_CLONES void floatToBfloat16(const float* from, uint16_t* to, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<uint32_t>(from[i]);
    to[i] = static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  }
}

SOFTPROMPT_CLONES bool allFinite(const float* values, size_t n) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (size_t i = 0; i < n; ++i) bad |= (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent;
  return bad == 0;
}

}  // namespace softprompt
