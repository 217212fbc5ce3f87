#include "core/t5/digest.h"

#include "core/runtime/sha256.h"

namespace softprompt {

std::string digestOf(const Executor& model, YieldPoint& yieldPoint) {
  Sha256 hash;
  for (const auto& [name, parameter] : model.parameters()) {
    const at::Tensor bytes = parameter.detach().to(at::kCPU).contiguous();
    hash.update(name);
    hash.update(bytes.const_data_ptr(), bytes.nbytes());
    yieldPoint.pause();
  }
  return hash.hex();
}

}  // namespace softprompt
