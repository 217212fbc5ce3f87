// pytorch_model.bin: a state dict that torch.save wrote, read by the restricted reader of pickles. No Python and no
// LibTorch unpickler runs.
#pragma once

#include <memory>
#include <string>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

class StateDictFile final : public TensorSource {
 public:
  // Throws Error MODEL_FILE_INVALID, MODEL_UNSUPPORTED (the form before PyTorch 1.6, which is no zip) or FILE_*.
  explicit StateDictFile(const std::string& path);
  explicit StateDictFile(const std::shared_ptr<const ReadFile>& file);
};

}  // namespace softprompt
