#include "core/runtime/random.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace softprompt {
namespace {

constexpr int kRounds = 10;
constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

// Fisher-Yates; its draws are numbers firstCounter .. firstCounter + n - 1 of `random`.
std::vector<int64_t> shuffled(const CounterRandom& random, int64_t n, uint64_t firstCounter) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) {
    const auto j = static_cast<int64_t>(random.uniform(firstCounter + i) * static_cast<double>(i + 1));
    std::swap(order[i], order[j]);
  }
  return order;
}

}  // namespace

std::array<uint32_t, 4> CounterRandom::block(uint64_t counter) const {
  std::array<uint32_t, 4> x{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                            static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)};
  auto key0 = static_cast<uint32_t>(seed_), key1 = static_cast<uint32_t>(seed_ >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(kMultiplier0) * x[0];
    const uint64_t product1 = static_cast<uint64_t>(kMultiplier1) * x[2];
    x = {static_cast<uint32_t>(product1 >> 32) ^ x[1] ^ key0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ x[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return x;
}

double CounterRandom::uniform(uint64_t counter) const {
  const auto words = block(counter);
  const uint64_t bits = (static_cast<uint64_t>(words[0]) << 32 | words[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

std::vector<int64_t> CounterRandom::permutation(int64_t n) const {
  return shuffled(*this, n, 0);
}

std::vector<int64_t> CounterRandom::sample(int64_t population, int64_t n) const {
  std::vector<int64_t> chosen;
  chosen.reserve(n);
  for (uint64_t round = 0; static_cast<int64_t>(chosen.size()) < n; ++round) {
    const auto order = shuffled(*this, population, round * population);
    const auto wanted = std::min<int64_t>(population, n - static_cast<int64_t>(chosen.size()));
    chosen.insert(chosen.end(), order.begin(), order.begin() + wanted);
  }
  return chosen;
}

at::Tensor CounterRandom::uniformTensor(at::IntArrayRef shape, double low, double high) const {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); i += 4) {
    const auto words = block(i / 4);
    for (int64_t j = i; j < std::min(i + 4, tensor.numel()); ++j) {
      values[j] = static_cast<float>(low + (high - low) * (words[j - i] >> 8) * 0x1.0p-24);
    }
  }
  return tensor;
}

// Box and Muller (1958): two words a pair.
at::Tensor CounterRandom::normalTensor(at::IntArrayRef shape, double deviation) const {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.mutable_data_ptr<float>();
  const int64_t n = tensor.numel();
  for (int64_t i = 0; i < n; i += 4) {
    const auto words = block(i / 4);
    double numbers[4];
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = deviation * std::sqrt(-2 * std::log((words[pair] + 0.5) * 0x1.0p-32));
      const double angle = 2 * std::numbers::pi * words[pair + 1] * 0x1.0p-32;
      numbers[pair] = radius * std::cos(angle);
      numbers[pair + 1] = radius * std::sin(angle);
    }
    for (int64_t j = i; j < std::min(i + 4, n); ++j) values[j] = static_cast<float>(numbers[j - i]);
  }
  return tensor;
}

}  // namespace softprompt
