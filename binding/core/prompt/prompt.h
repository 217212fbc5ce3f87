// A soft prompt outside of a model: float32 rows and what is known about them.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace softprompt {

struct SoftPrompt {
  at::Tensor rows;                              // float32 [P, d], CPU, contiguous
  std::map<std::string, std::string> metadata;  // safetensors __metadata__; 'fingerprint' names the base model
};

// Checks dimension 2, float32, finite, P >= 1 (PROMPT_INVALID) and, where given, the width (PROMPT_WIDTH).
void checkPrompt(const at::Tensor& rows, int64_t dModel);

}  // namespace softprompt
