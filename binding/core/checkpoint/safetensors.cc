#include "core/checkpoint/safetensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "core/checkpoint/atomic_file.h"
#include "core/checkpoint/json.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

struct Entry {
  TensorInfo info;
  uint64_t offset = 0;  // from the header's end
  uint64_t bytes = 0;
};

constexpr uint64_t kLargestHeader = 100'000'000;  // the format's own limit

struct DtypeRow {
  const char* name;
  uint64_t bytes;
  at::ScalarType type;  // Undefined: the size is known, but there is no tensor of it here
};
constexpr std::array<DtypeRow, 15> kDtypes{{{"F64", 8, at::kDouble},
                                            {"F32", 4, at::kFloat},
                                            {"BF16", 2, at::kBFloat16},
                                            {"F16", 2, at::kHalf},
                                            {"I64", 8, at::kLong},
                                            {"I32", 4, at::kInt},
                                            {"I16", 2, at::kShort},
                                            {"I8", 1, at::kChar},
                                            {"U8", 1, at::kByte},
                                            {"BOOL", 1, at::kBool},
                                            {"U64", 8, at::ScalarType::Undefined},
                                            {"U32", 4, at::ScalarType::Undefined},
                                            {"U16", 2, at::ScalarType::Undefined},
                                            {"F8_E4M3", 1, at::ScalarType::Undefined},
                                            {"F8_E5M2", 1, at::ScalarType::Undefined}}};

const DtypeRow* dtypeRow(const std::string& name) {
  const auto row = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeRow& r) { return name == r.name; });
  return row == kDtypes.end() ? nullptr : &*row;
}

const char* dtypeName(at::ScalarType type) {
  const auto row = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeRow& r) { return type == r.type; });
  if (row == kDtypes.end()) throw std::logic_error("a tensor of a dtype that safetensors does not have");
  return row->name;
}

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("SAFETENSORS_INVALID", path + " is not a valid safetensors file: " + what);
}

[[noreturn]] void truncated(const std::string& path, const std::string& what) {
  throw Error("SAFETENSORS_TRUNCATED", path + " is cut short (" + what + "): fetch or copy it again");
}

std::string readHeader(const ReadFile& file) {
  if (file.size() < 8) truncated(file.path(), "it has " + std::to_string(file.size()) + " bytes");
  std::array<unsigned char, 8> raw{};
  file.read(0, raw.data(), raw.size());
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | raw[i];
  if (length > kLargestHeader)
    invalid(file.path(), "it does not begin with the length of a header, so it is another kind of file or damaged");
  if (length > file.size() - 8) truncated(file.path(), "the header goes beyond its end");
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
  return shape;
}

uint64_t offsetOf(const Json& json, const std::string& path, const std::string& name) {
  if (!json.integer() || *json.integer() < 0) invalid(path, "the tensor " + name + " has bad data_offsets");
  return static_cast<uint64_t>(*json.integer());
}

// shape x dtype in bytes, with every product checked.
uint64_t byteCount(const TensorInfo& info, uint64_t itemBytes, const std::string& path) {
  uint64_t bytes = itemBytes;
  for (const int64_t size : info.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      invalid(path, "the shape of " + info.name + " is too large");
    }
  }
  return bytes;
}

Entry parseEntry(const std::string& path, const std::string& name, const Json& json) {
  Entry entry;
  entry.info.name = name;
  const Json* dtype = json.find("dtype");
  if (!dtype || !dtype->string()) invalid(path, "the tensor " + name + " has no dtype");
  entry.info.dtype = *dtype->string();
  const DtypeRow* row = dtypeRow(entry.info.dtype);
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
    header += jsonQuoted(name) + ":{\"dtype\":\"" + dtypeName(tensor.scalar_type()) + "\",\"shape\":[";
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

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  const std::string header = readHeader(file_);
  Json json;
  try {
    json = parseJson(header);
  } catch (const JsonSyntax& e) {
    invalid(path, std::string("its header is no JSON: ") + e.what());
  }
  if (!json.object()) invalid(path, "its header is not an object");
  std::vector<Entry> entries;
  for (const auto& [name, value] : *json.object()) {
    if (name == "__metadata__") {
      metadata_ = parseMetadata(path, value);
    } else {
      entries.push_back(parseEntry(path, name, value));
    }
  }
  const uint64_t dataStart = 8 + header.size();
  checkLayout(entries, file_, dataStart);
  for (Entry& entry : entries) {
    offsets_[entry.info.name] = dataStart + entry.offset;
    tensors_.push_back(std::move(entry.info));
  }
}

at::Tensor SafetensorsFile::read(const std::string& name) const {
  const TensorInfo* info = find(name);
  if (!info) invalid(path(), "it has no tensor " + name);
  const at::ScalarType type = dtypeRow(info->dtype)->type;
  if (type == at::ScalarType::Undefined) {
    invalid(path(), "the tensor " + name + " has dtype " + info->dtype + ", which is not supported here");
  }
  at::Tensor tensor = at::empty(info->shape, at::TensorOptions().dtype(type));
  file_.read(offsets_.at(name), tensor.mutable_data_ptr(), tensor.nbytes());
  return tensor;
}

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
