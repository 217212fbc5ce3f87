// NumPy's .npy format, as far as a matrix needs it: versions 1 to 3, little-endian float32 or float64, C order, two
// dimensions. It is what Google's prompt-tuning code writes.
#pragma once

#include <memory>
#include <string>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

bool looksLikeNpy(const std::string& firstBytes);

// One tensor, "prompt". Throws Error PROMPT_FILE_INVALID naming the file, or FILE_*.
class NpyFile final : public TensorSource {
 public:
  explicit NpyFile(const std::string& path);
  explicit NpyFile(const std::shared_ptr<const ReadFile>& file);
};

// The next two are in npy_tensors.cc.

// float32 [rows, columns]; float64 is rounded. Throws Error PROMPT_FILE_INVALID naming the file, or FILE_*.
at::Tensor readNpy(const std::string& path);

// `matrix`: float32, two dimensions. Written beside, synced and renamed. Throws Error FILE_WRITE.
void writeNpy(const std::string& path, const at::Tensor& matrix);

}  // namespace softprompt
