// Random numbers as a function of (seed, stream, counter): Philox 4x32-10 (Salmon et al. 2011), so that a run never
// depends on what was drawn before, on threads, or on where it was resumed.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace softprompt {

// What numbers are drawn for. Each purpose has its own streams, so that none ever shares numbers with another.
enum class Purpose : uint8_t { kShuffle = 1, kInitialise = 2, kDropout = 3, kSample = 4, kWeights = 5 };

// A stream of `purpose`; index < 2^56.
constexpr uint64_t streamOf(Purpose purpose, uint64_t index = 0) {
  return static_cast<uint64_t>(purpose) << 56 | index;
}

class CounterRandom {
 public:
  CounterRandom(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  std::array<uint32_t, 4> block(uint64_t counter) const;
  double uniform(uint64_t counter) const;             // [0, 1), 53 bits
  std::vector<int64_t> permutation(int64_t n) const;  // Fisher-Yates
  // n of 0 .. population-1 without replacement; where n exceeds population, starts over.
  std::vector<int64_t> sample(int64_t population, int64_t n) const;
  at::Tensor normalTensor(at::IntArrayRef shape, double deviation) const;          // mean 0; float32, on the CPU
  at::Tensor uniformTensor(at::IntArrayRef shape, double low, double high) const;  // float32, on the CPU

 private:
  uint64_t seed_;
  uint64_t stream_;
};

}  // namespace softprompt
