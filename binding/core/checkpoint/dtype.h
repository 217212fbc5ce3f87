// The kinds of numbers in checkpoints, by their names in the two formats.
#pragma once

#include <cstdint>
#include <string_view>

namespace softprompt {

struct Dtype {
  const char* name;     // in safetensors
  uint64_t bytes;       // of one number
  const char* storage;  // PyTorch's storage class in a pickle; "" where none is read
  bool hasTensor;       // false: its size is known, but LibTorch holds no tensor of it
};

// Null for an unknown name.
const Dtype* findDtype(std::string_view name);
const Dtype* findStorage(std::string_view storage);

}  // namespace softprompt
