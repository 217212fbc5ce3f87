// A fuzz target: one reader on bytes that someone else made. It may refuse them with an Error and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/checkpoint/dtype.h"
#include "core/checkpoint/tensor_source.h"

namespace fuzz {

using Body = void (*)(std::string_view bytes);

std::map<std::string, Body>& targets();

struct Register {
  Register(const char* name, Body body) { targets()[name] = body; }
};

// Runs a target; an Error is an answer, anything else escapes.
void run(Body body, std::string_view bytes);

inline std::shared_ptr<const softprompt::ReadFile> fileOf(std::string_view bytes) {
  return std::make_shared<softprompt::ReadFile>("the-file", std::string(bytes));
}

// A reader that accepts a file has checked where every tensor stands: so all of them can be read, and none takes more than
// the file holds.
inline void readAll(const std::vector<softprompt::TensorInfo>& tensors) {
  for (const softprompt::TensorInfo& tensor : tensors) {
    const uint64_t bytes = static_cast<uint64_t>(tensor.elements()) * softprompt::findDtype(tensor.dtype)->bytes;
    if (bytes > tensor.place.file->size()) throw std::logic_error(tensor.name + " is larger than its file");
    std::string values(bytes, '\0');
    softprompt::TensorCursor(tensor).next(values.data(), static_cast<uint64_t>(tensor.elements()));
  }
}

}  // namespace fuzz

#define FUZZ_TARGET(name)                                           \
  static void target_##name(std::string_view bytes);                \
  static fuzz::Register register_##name(#name, &target_##name);     \
  static void target_##name(std::string_view bytes)
