#include "core/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/checkpoint/dtype.h"
#include "core/checkpoint/json.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

struct Entry {
  TensorInfo info;
  uint64_t offset = 0;  // from the header's end
  uint64_t bytes = 0;
};

// The format allows 100 MB; a T5 of 11 billion parameters takes 0.1 MB.
constexpr uint64_t kLargestHeader = 16 << 20;
constexpr size_t kMostDimensions = 64;
constexpr uint64_t kLargest = uint64_t{1} << 62;  // bytes of a tensor

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("SAFETENSORS_INVALID", path + " is not a valid safetensors file: " + what);
}

[[noreturn]] void truncated(const std::string& path, const std::string& what) {
  throw Error("SAFETENSORS_TRUNCATED", path + " is cut short (" + what + "): fetch or copy it again");
}

// Files that get the name by mistake, told apart from damaged ones.
void refuseOtherKinds(const ReadFile& file) {
  if (file.text(0, 8) == "version ") {
    invalid(file.path(), "it is the pointer that Git LFS keeps for it; fetch the file itself (git lfs pull)");
  }
}

std::string readHeader(const ReadFile& file) {
  if (file.size() < 8) truncated(file.path(), "it has " + std::to_string(file.size()) + " bytes");
  std::array<unsigned char, 8> raw{};
  file.read(0, raw.data(), raw.size());
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | raw[i];
  if (length > kLargestHeader) {
    refuseOtherKinds(file);
    invalid(file.path(), "it does not begin with the length of a header, so it is another kind of file or damaged");
  }
  if (length > file.size() - 8) truncated(file.path(), "the header goes beyond its end");
  if (length == 0 || file.text(8, 1) != "{") invalid(file.path(), "its header is not a JSON object");
  return file.text(8, length);
}

Metadata parseMetadata(const std::string& path, const Json& json) {
  if (!json.object()) invalid(path, "__metadata__ is not an object");
  Metadata metadata;
  for (const auto& [key, value] : *json.object()) {
    if (!value.string()) invalid(path, "__metadata__ holds something other than strings");
    metadata[key] = *value.string();
  }
  return metadata;
}

std::vector<int64_t> parseShape(const Json* json, const std::string& path, const std::string& name) {
  std::vector<int64_t> shape;
  if (!json || !json->array()) invalid(path, "the tensor " + name + " has no shape");
  for (const Json& size : *json->array()) {
    if (!size.integer() || *size.integer() < 0) invalid(path, "the tensor " + name + " has a shape that is none");
    shape.push_back(*size.integer());
  }
  if (shape.size() > kMostDimensions) invalid(path, "the tensor " + name + " has too many dimensions");
  return shape;
}

uint64_t offsetOf(const Json& json, const std::string& path, const std::string& name) {
  if (!json.integer() || *json.integer() < 0) invalid(path, "the tensor " + name + " has bad data_offsets");
  return static_cast<uint64_t>(*json.integer());
}

// shape x dtype in bytes, with every product checked.
uint64_t byteCount(const TensorInfo& info, uint64_t itemBytes, const std::string& path) {
  uint64_t bytes = itemBytes;
  bool isEmpty = false;  // an empty tensor's other sizes still have to be ones that can be multiplied
  for (const int64_t size : info.shape) {
    isEmpty = isEmpty || size == 0;
    if (__builtin_mul_overflow(bytes, std::max<uint64_t>(1, static_cast<uint64_t>(size)), &bytes) || bytes > kLargest) {
      invalid(path, "the shape of " + info.name + " is too large");
    }
  }
  return isEmpty ? 0 : bytes;
}

Entry parseEntry(const std::string& path, const std::string& name, const Json& json) {
  Entry entry;
  entry.info.name = name;
  const Json* dtype = json.find("dtype");
  if (!dtype || !dtype->string()) invalid(path, "the tensor " + name + " has no dtype");
  entry.info.dtype = *dtype->string();
  const Dtype* row = findDtype(entry.info.dtype);
  if (!row) invalid(path, "the tensor " + name + " has the unknown dtype " + entry.info.dtype);
  entry.info.shape = parseShape(json.find("shape"), path, name);
  const Json* offsets = json.find("data_offsets");
  if (!offsets || !offsets->array() || offsets->array()->size() != 2 || json.object()->size() != 3) {
    invalid(path, "the tensor " + name + " has other fields than dtype, shape and data_offsets");
  }
  entry.offset = offsetOf((*offsets->array())[0], path, name);
  const uint64_t end = offsetOf((*offsets->array())[1], path, name);
  if (end < entry.offset || byteCount(entry.info, row->bytes, path) != end - entry.offset) {
    invalid(path, "the size of " + name + " contradicts its shape and dtype");
  }
  entry.bytes = end - entry.offset;
  return entry;
}

// Contiguous from 0, ending at the file's end.
void checkLayout(std::vector<Entry>& entries, const ReadFile& file, uint64_t dataStart) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.offset, a.bytes, a.info.name) < std::tie(b.offset, b.bytes, b.info.name);
  });
  uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.offset != expected) invalid(file.path(), "a hole or an overlap before the tensor " + entry.info.name);
    expected += entry.bytes;
  }
  const uint64_t there = file.size() - dataStart;
  if (expected > there) {
    truncated(file.path(), std::to_string(expected - there) + " bytes of its tensors are missing");
  }
  if (expected < there) invalid(file.path(), std::to_string(there - expected) + " bytes after the last tensor");
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : SafetensorsFile(std::make_shared<ReadFile>(path)) {}

SafetensorsFile::SafetensorsFile(const std::shared_ptr<const ReadFile>& file) : TensorSource(file->path()) {
  const std::string header = readHeader(*file);
  Json json;
  try {
    json = parseJson(header);
  } catch (const JsonSyntax& e) {
    invalid(path(), std::string("its header is no JSON: ") + e.what());
  }
  if (!json.object()) invalid(path(), "its header is not an object");
  std::vector<Entry> entries;
  for (const auto& [name, value] : *json.object()) {
    if (name == "__metadata__") {
      metadata_ = parseMetadata(path(), value);
    } else {
      entries.push_back(parseEntry(path(), name, value));
    }
  }
  const uint64_t dataStart = 8 + header.size();
  checkLayout(entries, *file, dataStart);
  for (Entry& entry : entries) {
    entry.info.place = {file, dataStart + entry.offset, {}};
    add(std::move(entry.info));
  }
}

}  // namespace softprompt
