// Prompt files: our safetensors (tensor "prompt", float32 [P, d]), Google's .npy (float32 [P, d]), and PEFT's folders
// (core/prompt/peft.h).
#pragma once

#include <string>

#include "core/prompt/prompt.h"

namespace softprompt {

// A file by its content, not by its extension, or a folder. Throws Error PROMPT_FILE_* naming the file.
SoftPrompt loadPrompt(const std::string& path);

// format: "safetensors" | "npy" | "peft" (a folder). Written beside, synced and renamed. Throws Error FILE_WRITE.
void savePrompt(const SoftPrompt& prompt, const std::string& path, const std::string& format);

}  // namespace softprompt
