// Which tensors a config demands, and the checkpoint's tensors brought to that form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/t5/config.h"

namespace softprompt {

struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;
};

// Every tensor of the network but the head, in the order of the forward pass; "shared.weight" is the first.
std::vector<ParameterSpec> parameterSpecs(const T5Config& config);

}  // namespace softprompt
