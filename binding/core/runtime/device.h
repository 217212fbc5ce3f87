// Where a model runs, and in which numbers.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

namespace softprompt {

bool hasCuda();
// True where the processor multiplies bfloat16 itself (avx512_bf16 or AMX); elsewhere it is far slower than float32.
bool cpuHasBfloat16();

// auto | cpu | cuda | cuda:N. Throws Error OPTION_INVALID or DEVICE_UNAVAILABLE.
at::Device resolveDevice(const std::string& name);
// auto | float32 | bfloat16; auto: bfloat16 where the device multiplies it natively. Throws Error OPTION_INVALID.
at::ScalarType resolveDtype(const std::string& name, at::Device device);
const char* dtypeName(at::ScalarType type);  // float32 | bfloat16

}  // namespace softprompt
