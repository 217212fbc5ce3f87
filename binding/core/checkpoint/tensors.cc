#include "core/checkpoint/tensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 10> kTypes{{{"F64", at::kDouble},
                                                                         {"F32", at::kFloat},
                                                                         {"BF16", at::kBFloat16},
                                                                         {"F16", at::kHalf},
                                                                         {"I64", at::kLong},
                                                                         {"I32", at::kInt},
                                                                         {"I16", at::kShort},
                                                                         {"I8", at::kChar},
                                                                         {"U8", at::kByte},
                                                                         {"BOOL", at::kBool}}};

}  // namespace

at::ScalarType scalarTypeOf(const std::string& dtype) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& r) { return dtype == r.first; });
  return row == kTypes.end() ? at::ScalarType::Undefined : row->second;
}

const char* dtypeWord(at::ScalarType type) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& r) { return type == r.second; });
  if (row == kTypes.end()) throw std::logic_error("a tensor of a dtype that safetensors does not have");
  return row->first;
}

at::Tensor readTensor(const TensorInfo& tensor) {
  const at::ScalarType type = scalarTypeOf(tensor.dtype);
  if (type == at::ScalarType::Undefined) {
    throw Error("MODEL_TENSOR_DTYPE", tensor.place.file->path() + ": the tensor " + tensor.name + " has dtype " +
                                          tensor.dtype + ", which is not supported here");
  }
  at::Tensor values = at::empty(tensor.shape, at::TensorOptions().dtype(type));
  TensorCursor(tensor).next(values.mutable_data_ptr(), static_cast<uint64_t>(values.numel()));
  return values;
}

at::Tensor TensorSource::read(const std::string& name) const {
  const TensorInfo* tensor = find(name);
  if (!tensor) throw Error("MODEL_TENSOR_MISSING", path() + " has no tensor " + name);
  return readTensor(*tensor);
}

}  // namespace softprompt
