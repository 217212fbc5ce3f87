#include "core/runtime/tensor_io.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace softprompt {

at::Tensor matrixOf(std::span<const float> values, int64_t rows, int64_t columns) {
  TORCH_CHECK(static_cast<int64_t>(values.size()) == rows * columns, "matrixOf: ", values.size(), " values for ", rows,
              " x ", columns);
  at::Tensor matrix = at::empty({rows, columns}, at::kFloat);
  std::copy(values.begin(), values.end(), matrix.mutable_data_ptr<float>());
  return matrix;
}

std::vector<float> floatsOf(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = values.const_data_ptr<float>();
  return {data, data + values.numel()};
}

std::vector<int32_t> intsOf(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kInt).contiguous();
  const int32_t* data = values.const_data_ptr<int32_t>();
  return {data, data + values.numel()};
}

}  // namespace softprompt
