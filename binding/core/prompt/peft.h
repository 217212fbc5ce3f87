// Prompts as Hugging Face's PEFT library keeps them: a folder with adapter_config.json and adapter_model.safetensors,
// whose tensor is "prompt_embeddings" [n, d].
#pragma once

#include <string>

#include "core/prompt/prompt.h"

namespace softprompt {

inline constexpr const char* kPeftConfig = "adapter_config.json";
inline constexpr const char* kPeftTensor = "prompt_embeddings";

// The first num_virtual_tokens rows: the only ones that act on a T5, which gets them in front of the encoder's input.
// For an encoder-decoder PEFT makes twice as many by default; how many are left out stands in the metadata as
// "peft.unusedRows". Throws Error PROMPT_FILE_INVALID naming the file.
SoftPrompt readPeftPrompt(const std::string& folder);

// Makes the folder where it is missing; each of the two files is written beside, synced and renamed, the config last.
// Other files of the folder stay. Throws Error FILE_WRITE.
void writePeftPrompt(const std::string& folder, const SoftPrompt& prompt);

}  // namespace softprompt
