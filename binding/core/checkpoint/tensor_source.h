// A checkpoint on disk, whatever its format: what it holds is known at once, and a tensor is read when it is asked for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace softprompt {

struct TensorInfo {
  std::string name;
  std::string dtype;  // in safetensors' words: F32, BF16, F16 ...
  std::vector<int64_t> shape;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual const std::string& path() const = 0;  // for messages
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  virtual at::Tensor read(const std::string& name) const = 0;  // on the CPU, in the file's dtype

  const TensorInfo* find(const std::string& name) const {
    for (const TensorInfo& info : tensors()) {
      if (info.name == name) return &info;
    }
    return nullptr;
  }
};

}  // namespace softprompt
