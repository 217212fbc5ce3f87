// Where the readers' descriptions meet LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

// Undefined where LibTorch holds no tensor of that dtype.
at::ScalarType scalarTypeOf(const std::string& dtype);
// In safetensors' words; std::logic_error for a dtype that has none.
const char* dtypeWord(at::ScalarType type);

at::Tensor readTensor(const TensorInfo& tensor);

}  // namespace softprompt
