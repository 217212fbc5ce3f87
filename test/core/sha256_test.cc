#include "core/runtime/sha256.h"

#include "check.h"

TEST(sha256) {
  const auto hex = [](const std::string& text) {
    softprompt::Sha256 sha;
    for (const char c : text) sha.update(&c, 1);
    return sha.hex();
  };
  CHECK_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  softprompt::Sha256 sha;
  sha.update(std::string(1000000, 'a'));
  CHECK_EQ(sha.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
