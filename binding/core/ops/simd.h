// Plain loops that the compiler vectorises, once for each kind of processor; the loader of the library picks one.
#pragma once

#include <c10/util/BFloat16.h>

#include <bit>
#include <cstdint>

// On a function: compile it for each of these targets. A template cannot carry it, so a clone's body is an
// always-inlined template.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define SOFTPROMPT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SOFTPROMPT_CLONES
#endif
#define SOFTPROMPT_INLINE inline __attribute__((always_inline))

namespace softprompt::simd {

SOFTPROMPT_INLINE float toFloat(float x) {
  return x;
}
SOFTPROMPT_INLINE float toFloat(uint16_t x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

// bfloat16 is handled by its bits: the class's own conversions keep loops from being vectorised.
template <class T>
struct Bits {
  using type = T;
};
template <>
struct Bits<c10::BFloat16> {
  using type = uint16_t;
};

SOFTPROMPT_INLINE void store(float* to, float x) {
  *to = x;
}
// To the nearest, ties to even; a NaN stays one.
SOFTPROMPT_INLINE void store(uint16_t* to, float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  *to = static_cast<uint16_t>(x == x ? rounded : 0x7fc0u);
}

// e^x to 2e-7 relative for x in [-87, 88], held at the ends outside.
SOFTPROMPT_INLINE float exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: the sum's low bits are the nearest integer
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) + (127u - 0x4b400000u)) << 23;
  return p * std::bit_cast<float>(power);
}

SOFTPROMPT_INLINE float sigmoid(float x) {
  return 1.0f / (1.0f + exp(-x));
}

}  // namespace softprompt::simd
