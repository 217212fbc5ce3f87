// The relative position biases of a module's blocks, by the module's own methods.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/t5/config.h"

namespace c10 {
struct IValue;
}

namespace torch::jit {
struct Module;
}

namespace softprompt {

// float32, one for each of the `count` blocks: all have the first one's, unless they have biases of their own.
std::vector<at::Tensor> positionBiases(const T5Config& config, const torch::jit::Module& blocks, int64_t count,
                                       const std::string& method, const std::vector<c10::IValue>& arguments);

// For each block of the decoder [1, H, 1, positions], contiguous: the newest position to all before, and itself.
std::vector<at::Tensor> stepBiases(const T5Config& config, const torch::jit::Module& decoderBlocks, int64_t positions);

}  // namespace softprompt
