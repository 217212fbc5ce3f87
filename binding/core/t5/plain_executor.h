// The reference executor: the TorchScript module's own methods, block by block, so that the model's thread can pause
// between layers, forward and backward.
#pragma once

#include <memory>

#include "core/t5/executor.h"

namespace torch::jit {
struct Module;
}

namespace softprompt {

// `module` is buildModule's.
std::unique_ptr<Executor> makePlainExecutor(const T5Config& config, torch::jit::Module module);

}  // namespace softprompt
