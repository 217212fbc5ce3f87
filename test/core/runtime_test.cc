#include <ATen/TensorOperators.h>

#include "check.h"
#include "core/runtime/device.h"
#include "core/runtime/error.h"

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
