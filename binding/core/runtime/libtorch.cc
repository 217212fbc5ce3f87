#include "core/runtime/libtorch.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "core/runtime/device.h"

namespace softprompt {

LibTorch libtorch() {
  return {
      .version = TORCH_VERSION,
      .cpuCapability = at::get_cpu_capability(),
      .cuda = hasCuda(),
      .bfloat16 = cpuHasBfloat16(),
      .threads = at::intraop_default_num_threads(),
  };
}

}  // namespace softprompt
