#include "core/checkpoint/inspect.h"

#include <algorithm>

#include "core/checkpoint/read_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/prompt/file.h"

namespace softprompt {

namespace {

constexpr const char* kRunFormat = "softprompt-checkpoint";

bool startsWith(const std::string& path, const std::string& magic) {
  const ReadFile file(path);
  return file.size() >= magic.size() && file.text(0, magic.size()) == magic;
}

// A prompt's file is one matrix of that name; a run's says so itself.
std::string kindOf(const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  if (format != file.metadata().end() && format->second == kRunFormat) return "checkpoint";
  const auto& tensors = file.tensors();
  const bool prompt = tensors.size() == 1 && tensors[0].name == "prompt" && tensors[0].shape.size() == 2;
  return prompt ? "prompt" : "safetensors";
}

FileInfo inspectNpy(const std::string& path) {
  const SoftPrompt prompt = loadPrompt(path);
  return {"prompt", {{"prompt", "F32", prompt.rows.sizes().vec()}}, prompt.metadata};
}

}  // namespace

FileInfo inspectFile(const std::string& path) {
  if (startsWith(path, "\x93NUMPY")) return inspectNpy(path);
  const SafetensorsFile file(path);
  return {kindOf(file), file.tensors(), file.metadata()};
}

}  // namespace softprompt
