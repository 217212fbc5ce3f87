// An executor whose decoder and head are in int8, for inference: the encoder stays as it is, and nothing can be
// differentiated. On the CPU.
#pragma once

#include <memory>

#include "core/t5/executor.h"

namespace torch::jit {
struct Module;
}

namespace softprompt {

// `module` is buildModule's; its decoder's matrices, and a head of its own, are given up.
std::unique_ptr<Executor> makeInt8Executor(const T5Config& config, torch::jit::Module module);

}  // namespace softprompt
