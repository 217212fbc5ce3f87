#include <ATen/TensorOperators.h>

#include "check.h"
#include "core/runtime/device.h"
#include "core/runtime/error.h"
#include "core/runtime/sha256.h"

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

TEST(devices) {
  CHECK(softprompt::resolveDevice("cpu").is_cpu());
  CHECK_THROWS(softprompt::resolveDevice("tpu"), "OPTION_INVALID");
  if (!softprompt::hasCuda()) {
    CHECK(softprompt::resolveDevice("auto").is_cpu());
    CHECK_THROWS(softprompt::resolveDevice("cuda"), "DEVICE_UNAVAILABLE");
    CHECK_THROWS(softprompt::resolveDevice("cuda:1"), "DEVICE_UNAVAILABLE");
  }
  CHECK_THROWS(softprompt::resolveDevice("cuda:x"), "OPTION_INVALID");
  const auto expected = softprompt::cpuHasBfloat16() ? at::kBFloat16 : at::kFloat;
  CHECK(softprompt::resolveDtype("auto", at::kCPU) == expected);
}
