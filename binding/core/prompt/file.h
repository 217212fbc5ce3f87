// Prompt files: our safetensors (tensor "prompt", float32 [P, d]) and Google's .npy (float32 [P, d]).
#pragma once

#include <string>

#include "core/prompt/prompt.h"

namespace softprompt {

// By content, not by extension. Throws Error PROMPT_FILE_* naming the file.
SoftPrompt loadPrompt(const std::string& path);

// format: "safetensors" | "npy". Written beside, synced and renamed. Throws Error FILE_WRITE.
void savePrompt(const SoftPrompt& prompt, const std::string& path, const std::string& format);

}  // namespace softprompt
