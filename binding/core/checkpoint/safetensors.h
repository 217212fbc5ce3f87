// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes back to back. Nothing of a
// file is believed before it was checked.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint/tensor_source.h"

namespace softprompt {

using Metadata = std::map<std::string, std::string>;
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

class SafetensorsFile final : public TensorSource {
 public:
  // Reads and checks the header: its length, UTF-8 JSON without duplicate keys, sizes that fit shape and dtype, offsets
  // contiguous from 0 without hole or overlap, ending at the file's end. Throws Error SAFETENSORS_INVALID or
  // SAFETENSORS_TRUNCATED (or FILE_*), naming the file and the tensor. Tensors are in the order of their bytes.
  explicit SafetensorsFile(const std::string& path);
  explicit SafetensorsFile(const std::shared_ptr<const ReadFile>& file);

  const Metadata& metadata() const { return metadata_; }

 private:
  Metadata metadata_;
};

// In safetensors_write.cc. Written beside, synced and renamed; tensors in the order given. Throws Error FILE_WRITE.
void writeSafetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata);

}  // namespace softprompt
