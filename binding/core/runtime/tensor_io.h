// Numbers in and out of tensors, for those who only carry tensors about.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

namespace softprompt {

// float32 [rows, columns] on the CPU, a copy; values.size() is rows * columns.
at::Tensor matrixOf(std::span<const float> values, int64_t rows, int64_t columns);

// The values in row-major order, as float32.
std::vector<float> floatsOf(const at::Tensor& tensor);

// Token ids in row-major order.
std::vector<int32_t> intsOf(const at::Tensor& tensor);

}  // namespace softprompt
