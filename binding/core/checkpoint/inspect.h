// What a file or a model's folder holds, without loading its tensors.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

struct FileInfo {
  std::string kind;  // prompt | checkpoint | safetensors | torchscript | statedict | model (a folder)
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> metadata;

  // Of a model (a folder or a .pt); the rest leaves them empty.
  std::string format;  // safetensors | pytorch | torchscript
  struct Shard {
    std::string name;
    uint64_t bytes = 0;
  };
  std::vector<Shard> shards;  // the files that hold the weights
  uint64_t bytesOnDisk = 0;   // of those files
  // What the weights take once loaded. Copies that are not kept are left out where the headers tell: tensors on the
  // same bytes, and the stacks' embed_tokens beside shared. An upper bound: a head that equals the embedding is seen on
  // loading.
  uint64_t bytesAsFloat32 = 0;
  uint64_t bytesAsBfloat16 = 0;
};

// By content, not by extension; a folder is read as a model's. Throws Error FILE_*, SAFETENSORS_*, TORCHSCRIPT_INVALID,
// MODEL_FILE_* or (for .npy) PROMPT_FILE_INVALID, naming the file.
FileInfo inspectFile(const std::string& path);
FileInfo inspectFile(const std::shared_ptr<const ReadFile>& file);

}  // namespace softprompt
