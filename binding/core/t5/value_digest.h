// A digest of many numbers at the speed of memory, for telling checkpoints apart: by accident two of them share one
// with a chance of 2^-64. It does not withstand someone who looks for such a pair; nothing here relies on that.
//
// NH of UMAC (Black et al. 1999, RFC 4418) takes each block of 1,024 words to two sums
//   sum over i < 512 of (x[i] + key[i]) (x[i + 512] + key[i + 512]), the factors mod 2^32, the sum mod 2^64
// with a key each, and SHA-256 takes these. The last block is filled up with zeros, and the number of words follows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/runtime/sha256.h"

namespace softprompt {

class ValueDigest {
 public:
  static constexpr size_t kBlock = 1024;

  void update(const float* values, size_t n);
  // In hex. The object is used up.
  std::string hex();

 private:
  void take(const uint32_t* block);

  Sha256 sums_;
  std::array<uint32_t, kBlock> pending_;
  uint64_t count_ = 0;
};

}  // namespace softprompt
