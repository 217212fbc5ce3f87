// Sixteen float32 that the compiler keeps in the processor's vectors, whatever their width.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/ops/simd.h"

namespace softprompt::simd {

constexpr int64_t kLanes = 16;
using Lanes = float __attribute__((vector_size(64)));

template <class T>
SOFTPROMPT_INLINE void load(Lanes& to, const T* from) {
  if constexpr (sizeof(T) == sizeof(float)) {
    std::memcpy(&to, from, sizeof to);
  } else {
    using Halves = uint16_t __attribute__((vector_size(32)));
    using Words = uint32_t __attribute__((vector_size(64)));
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    const Words words = __builtin_convertvector(halves, Words) << 16;
    std::memcpy(&to, &words, sizeof to);
  }
}

SOFTPROMPT_INLINE float sum(const Lanes& lanes) {
  float parts[kLanes];
  std::memcpy(parts, &lanes, sizeof parts);
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
    for (int64_t i = 0; i < width; ++i) parts[i] += parts[i + width];
  return parts[0];
}

}  // namespace softprompt::simd
