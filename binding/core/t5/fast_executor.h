// The fast executor: C++ layers over the frozen tensors, without padding, with fused products and a backward pass of
// their own. It must equal the plain one, to which it leaves what it does not do itself: rows with holes.
#pragma once

#include <memory>

#include "core/t5/executor.h"

namespace torch::jit {
struct Module;
}

namespace softprompt {

// `module` is buildModule's, on the CPU.
std::unique_ptr<Executor> makeFastExecutor(const T5Config& config, torch::jit::Module module);

}  // namespace softprompt
