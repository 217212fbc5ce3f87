#include "core/prompt/file.h"

#include <algorithm>
#include <filesystem>

#include "core/checkpoint/npy.h"
#include "core/checkpoint/read_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/prompt/peft.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr const char* kTensor = "prompt";

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("PROMPT_FILE_INVALID", path + " is not a prompt file: " + what);
}

std::string firstBytes(const std::string& path) {
  const ReadFile file(path);
  return file.text(0, std::min<uint64_t>(file.size(), 8));
}

// The folder that a file is in.
std::string folderOf(const std::string& path) {
  const std::filesystem::path parent = platform::toPath(path).parent_path();
  return parent.empty() ? "." : platform::toUtf8(parent);
}

SoftPrompt readSafetensorsPrompt(const std::string& path) {
  const SafetensorsFile file(path);
  const TensorInfo* info = file.find(kTensor);
  if (!info && file.find(kPeftTensor)) return readPeftPrompt(folderOf(path));
  if (!info) invalid(path, "it holds no tensor named 'prompt'");
  if (info->dtype != "F32" && info->dtype != "BF16" && info->dtype != "F16") {
    invalid(path, "its tensor 'prompt' has dtype " + info->dtype + "; float32 is expected");
  }
  if (info->shape.size() != 2) {
    invalid(path, "its tensor 'prompt' has " + std::to_string(info->shape.size()) +
                      " dimensions; rows by d_model are expected");
  }
  return {file.read(kTensor).to(at::kFloat), file.metadata()};
}

SoftPrompt readPrompt(const std::string& path) {
  if (isFolder(path)) return readPeftPrompt(path);
  const std::string start = firstBytes(path);
  if (looksLikeNpy(start)) return {readNpy(path), {}};
  if (start.starts_with("PK")) invalid(path, "it is a zip archive (a PyTorch or .npz file, perhaps)");
  return readSafetensorsPrompt(path);
}

}  // namespace

SoftPrompt loadPrompt(const std::string& path) {
  try {
    SoftPrompt prompt = readPrompt(path);
    checkPrompt(prompt.rows, 0);
    return prompt;
  } catch (const Error& e) {
    if (e.code() == "FILE_NOT_FOUND") throw Error("PROMPT_FILE_NOT_FOUND", e.what());
    if (e.code() == "PROMPT_NOT_FINITE") throw Error(e.code(), path + ": " + e.what());
    if (e.code() == "PROMPT_INVALID") invalid(path, e.what());
    if (e.code().starts_with("SAFETENSORS_")) throw Error("PROMPT_FILE_INVALID", e.what());
    throw;
  }
}

void savePrompt(const SoftPrompt& prompt, const std::string& path, const std::string& format) {
  if (format == "npy") return writeNpy(path, prompt.rows);
  if (format == "peft") return writePeftPrompt(path, prompt);
  if (format != "safetensors") {
    throw Error("OPTION_INVALID", "format '" + format + "': a prompt is saved as safetensors, npy or peft");
  }
  writeSafetensors(path, {{kTensor, prompt.rows}}, prompt.metadata);
}

}  // namespace softprompt
