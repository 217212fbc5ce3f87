// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes back to back. Nothing of a
// file is believed before it was checked.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint/read_file.h"
#include "core/checkpoint/tensor_source.h"

namespace softprompt {

using Metadata = std::map<std::string, std::string>;
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

class SafetensorsFile final : public TensorSource {
 public:
  // Reads and checks the header: its length, UTF-8 JSON without duplicate keys, sizes that fit shape and dtype, offsets
  // contiguous from 0 without hole or overlap, ending at the file's end. Throws Error SAFETENSORS_INVALID or
  // SAFETENSORS_TRUNCATED (or FILE_*), naming the file and the tensor.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }  // in the order of the bytes
  const Metadata& metadata() const { return metadata_; }
  // Throws SAFETENSORS_INVALID for a dtype that has no tensor here.
  at::Tensor read(const std::string& name) const override;

 private:
  ReadFile file_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, uint64_t> offsets_;  // in the file
  Metadata metadata_;
};

// Written beside, synced and renamed; tensors in the order given. Throws Error FILE_WRITE.
void writeSafetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata);

}  // namespace softprompt
