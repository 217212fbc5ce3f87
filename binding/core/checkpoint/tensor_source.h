// A checkpoint on disk, whatever its format: what it holds and where each number stands is known, and checked against
// the file, before any tensor is read. No LibTorch up to here: the readers can be built and fuzzed without it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/checkpoint/read_file.h"

namespace at {
class Tensor;
}

namespace softprompt {

// Every number of the tensor lies inside the file: readers check that before they make one.
struct TensorPlace {
  std::shared_ptr<const ReadFile> file;
  uint64_t offset = 0;           // of the first number, in bytes
  std::vector<int64_t> strides;  // in numbers; empty: row-major, side by side

  bool operator==(const TensorPlace&) const = default;
};

struct TensorInfo {
  std::string name;
  std::string dtype;  // in safetensors' words: F32, BF16, F16 ... (dtype.h)
  std::vector<int64_t> shape;
  TensorPlace place{};

  int64_t elements() const {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    return count;
  }
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  const std::string& path() const { return path_; }  // for messages
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(const std::string& name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }
  // On the CPU, row-major, in the file's dtype. Throws Error MODEL_TENSOR_MISSING, MODEL_TENSOR_DTYPE or FILE_READ.
  at::Tensor read(const std::string& name) const;  // tensors.cc

 protected:
  explicit TensorSource(std::string path) : path_(std::move(path)) {}
  // False: a tensor of that name is there already.
  bool add(TensorInfo tensor) {
    if (!index_.emplace(tensor.name, tensors_.size()).second) return false;
    tensors_.push_back(std::move(tensor));
    return true;
  }

 private:
  std::string path_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, size_t> index_;
};

// The numbers of one tensor in row-major order, piece by piece. `tensor` must outlive it.
class TensorCursor {
 public:
  explicit TensorCursor(const TensorInfo& tensor);  // a strided one is read whole here
  void next(void* to, uint64_t elements);

 private:
  void gather(char* to, uint64_t elements);

  const TensorInfo& tensor_;
  uint64_t bytes_;              // of one number
  uint64_t offset_;             // in the file, of what is next
  std::string storage_;         // of a strided tensor, from its first number to its last
  std::vector<int64_t> index_;  // of what is next, of a strided tensor
};

}  // namespace softprompt
