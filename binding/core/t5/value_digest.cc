#include "core/t5/value_digest.h"

#include <algorithm>
#include <cstring>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr size_t kHalf = ValueDigest::kBlock / 2;
constexpr uint64_t kFirstSeed = 0x736f667470726f6d, kSecondSeed = 0x7074207765696768;

using Key = std::array<uint32_t, ValueDigest::kBlock>;

// SplitMix64 (Steele et al. 2014): fixed numbers without a pattern.
constexpr Key keyFrom(uint64_t state) {
  Key key{};
  for (uint32_t& word : key) {
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    word = static_cast<uint32_t>((mixed ^ mixed >> 31) >> 32);
  }
  return key;
}

constexpr Key kFirst = keyFrom(kFirstSeed), kSecond = keyFrom(kSecondSeed);

SOFTPROMPT_CLONES void sumsOf(const uint32_t* x, const uint32_t* first, const uint32_t* second, uint64_t* sums) {
  uint64_t a = 0, b = 0;
  for (size_t i = 0; i < kHalf; ++i) {
    a += static_cast<uint64_t>(x[i] + first[i]) * (x[i + kHalf] + first[i + kHalf]);
    b += static_cast<uint64_t>(x[i] + second[i]) * (x[i + kHalf] + second[i + kHalf]);
  }
  sums[0] = a;
  sums[1] = b;
}

}  // namespace

void ValueDigest::take(const uint32_t* block) {
  uint64_t sums[2];
  sumsOf(block, kFirst.data(), kSecond.data(), sums);
  sums_.update(sums, sizeof sums);
}

void ValueDigest::update(const float* values, size_t n) {
  const auto* words = reinterpret_cast<const uint32_t*>(values);
  size_t held = count_ % kBlock;
  count_ += n;
  if (held > 0) {
    const size_t taken = std::min(n, kBlock - held);
    std::memcpy(pending_.data() + held, words, taken * sizeof(uint32_t));
    words += taken;
    n -= taken;
    if (held + taken < kBlock) return;
    take(pending_.data());
  }
  for (; n >= kBlock; n -= kBlock, words += kBlock) take(words);
  std::memcpy(pending_.data(), words, n * sizeof(uint32_t));
}

std::string ValueDigest::hex() {
  if (const size_t held = count_ % kBlock; held > 0) {
    std::fill(pending_.begin() + static_cast<std::ptrdiff_t>(held), pending_.end(), 0);
    take(pending_.data());
  }
  sums_.update(&count_, sizeof count_);
  return sums_.hex();
}

}  // namespace softprompt
