// Safetensors from tensors.
#include <array>

#include "core/checkpoint/atomic_file.h"
#include "core/checkpoint/json.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/tensors.h"

namespace softprompt {
namespace {

std::string makeHeader(const NamedTensors& tensors, const Metadata& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) header += jsonQuoted(key) + ":" + jsonQuoted(value) + ",";
    header.back() = '}';
    header += ",";
  }
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    header += jsonQuoted(name) + ":{\"dtype\":\"" + dtypeWord(tensor.scalar_type()) + "\",\"shape\":[";
    for (int64_t i = 0; i < tensor.dim(); ++i) header.append(i ? "," : "").append(std::to_string(tensor.size(i)));
    header += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + tensor.nbytes()) + "]},";
    offset += tensor.nbytes();
  }
  if (header.back() == ',') header.pop_back();
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');  // the tensors start at a multiple of 8
  return header;
}

}  // namespace

void writeSafetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata) {
  const std::string header = makeHeader(tensors, metadata);
  AtomicFile file(path);
  std::array<unsigned char, 8> length{};
  for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor bytes = tensor.cpu().contiguous();
    file.write(bytes.const_data_ptr(), bytes.nbytes());
  }
  file.commit();
}

}  // namespace softprompt
