// What a file holds, without loading its tensors.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

struct FileInfo {
  std::string kind;  // prompt | checkpoint | safetensors | torchscript
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};

// By content, not by extension. Throws Error FILE_*, SAFETENSORS_*, TORCHSCRIPT_INVALID or (for .npy)
// PROMPT_FILE_INVALID, naming the file.
FileInfo inspectFile(const std::string& path);

}  // namespace softprompt
