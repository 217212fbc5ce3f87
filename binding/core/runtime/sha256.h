// SHA-256 (FIPS 180-4), with the processor's own instructions where it has them: gigabytes of weights are hashed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace softprompt {

class Sha256 {
 public:
  void update(const void* bytes, size_t n);
  void update(const std::string& text) { update(text.data(), text.size()); }
  // The digest in hex. The object is used up.
  std::string hex();

 private:
  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> pending_{};
  uint64_t length_ = 0;  // bytes so far
};

}  // namespace softprompt
