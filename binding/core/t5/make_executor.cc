#include "core/t5/make_executor.h"

#include <torch/csrc/jit/api/module.h>

#include <cstdlib>
#include <string>

#include "core/t5/build.h"
#include "core/t5/fast_executor.h"
#include "core/t5/plain_executor.h"

namespace softprompt {

bool runsFast(at::Device device) {
  const char* plain = std::getenv("SOFTPROMPT_PLAIN");
  return device.is_cpu() && !(plain && std::string(plain) == "1");
}

std::unique_ptr<Executor> makeExecutor(const T5Config& config, const NamedTensors& tensors, at::Device device) {
  return (runsFast(device) ? makeFastExecutor : makePlainExecutor)(config, buildModule(config, tensors));
}

}  // namespace softprompt
