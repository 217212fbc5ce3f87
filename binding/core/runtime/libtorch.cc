#include "core/runtime/libtorch.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cpu/Utils.h>
#include <torch/version.h>

namespace softprompt {

namespace {

bool processorMultipliesBfloat16() {
  const auto capabilities = at::cpu::get_cpu_capabilities();
  const auto has = [&](const char* name) {
    const auto found = capabilities.find(name);
    return found != capabilities.end() && found->second.toBool();
  };
  return has("avx512_bf16") || has("amx_bf16");
}

}  // namespace

LibTorch libtorch() {
  return {
      .version = TORCH_VERSION,
      .cpuCapability = at::get_cpu_capability(),
      .cuda = at::hasCUDA(),
      .bfloat16 = processorMultipliesBfloat16(),
      .threads = at::intraop_default_num_threads(),
  };
}

}  // namespace softprompt
