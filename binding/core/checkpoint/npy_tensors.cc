// .npy to and from tensors.
#include <ATen/core/Tensor.h>

#include <string>

#include "core/checkpoint/atomic_file.h"
#include "core/checkpoint/npy.h"

namespace softprompt {

at::Tensor readNpy(const std::string& path) {
  return NpyFile(path).read("prompt").to(at::kFloat);
}

void writeNpy(const std::string& path, const at::Tensor& matrix) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(matrix.size(0)) + ", " +
                       std::to_string(matrix.size(1)) + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');  // with the newline, the data starts at a multiple of 64
  header += '\n';
  std::string start("\x93NUMPY");
  start += {'\1', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  start += header;
  const at::Tensor values = matrix.cpu().to(at::kFloat).contiguous();
  AtomicFile file(path);
  file.write(start.data(), start.size());
  file.write(values.const_data_ptr(), values.nbytes());
  file.commit();
}

}  // namespace softprompt
