#include "core/runtime/device.h"

#include <ATen/Context.h>
#include <ATen/cpu/Utils.h>

#include <charconv>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

bool cpuHas(const char* capability) {
  static const auto capabilities = at::cpu::get_cpu_capabilities();
  const auto found = capabilities.find(capability);
  return found != capabilities.end() && found->second.isBool() && found->second.toBool();
}

at::Device cudaDevice(const std::string& name) {
  int index = 0;
  if (name != "cuda") {
    const char *first = name.data() + 5, *last = name.data() + name.size();
    const auto [end, error] = std::from_chars(first, last, index);
    if (error != std::errc() || end != last || index < 0 || index > 127) {
      throw Error("OPTION_INVALID", "device '" + name + "': write cuda or cuda:N");
    }
  }
  if (!hasCuda()) {
    throw Error("DEVICE_UNAVAILABLE", "device '" + name +
                                          "' cannot be used: this LibTorch has no CUDA, or no GPU with a driver was "
                                          "found (`softprompt doctor` tells); use device 'cpu', or a CUDA build of "
                                          "LibTorch");
  }
  const int count = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
  if (index >= count) {
    throw Error("DEVICE_UNAVAILABLE",
                "device '" + name + "' cannot be used: there are " + std::to_string(count) + " GPUs, numbered from 0");
  }
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

bool hasCuda() {
  return at::globalContext().hasCUDA();
}

bool cpuHasBfloat16() {
  return cpuHas("avx512_bf16") || cpuHas("amx_bf16");
}

at::Device resolveDevice(const std::string& name) {
  if (name == "auto") return hasCuda() ? cudaDevice("cuda") : at::Device(at::kCPU);
  if (name == "cpu") return at::kCPU;
  if (name == "cuda" || name.starts_with("cuda:")) return cudaDevice(name);
  throw Error("OPTION_INVALID", "device '" + name + "' is none of auto, cpu, cuda, cuda:N");
}

at::ScalarType resolveDtype(const std::string& name, at::Device device) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name != "auto") throw Error("OPTION_INVALID", "dtype '" + name + "' is none of auto, float32, bfloat16");
  return device.is_cuda() || cpuHasBfloat16() ? at::kBFloat16 : at::kFloat;
}

const char* dtypeName(at::ScalarType type) {
  return type == at::kBFloat16 ? "bfloat16" : "float32";
}

}  // namespace softprompt
