// Named tensors -> the TorchScript module, in memory and without Python. Its submodules and parameters carry the
// checkpoint's own names, so that state_dict() of the saved file is that of the Hugging Face checkpoint.
#pragma once

#include "core/checkpoint/safetensors.h"
#include "core/t5/config.h"

namespace torch::jit {
struct Module;
}

namespace softprompt {

// `tensors`: exactly those of parameterSpecs(config) (lm_head.weight only where the head is untied), checked by the
// caller, of one dtype and device. Freezes them.
torch::jit::Module buildModule(const T5Config& config, const NamedTensors& tensors);

// TorchScript's executor for this process: the simple one, which neither profiles nor specialises on shapes. Must be
// called before a method's first call; buildModule and the loader of foreign modules do.
void useSimpleExecutor();

}  // namespace softprompt
