#include "core/checkpoint/inspect.h"

#include "core/checkpoint/npy.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/torchscript.h"

namespace softprompt {
namespace {

FileInfo inspectNpy(const std::string& path) {
  const at::Tensor matrix = readNpy(path);
  return {"prompt", {{"prompt", "F32", matrix.sizes().vec()}}, {}};
}

FileInfo inspectTorchScript(const std::string& path) {
  TorchScriptFile file(path);
  file.parseModule();
  FileInfo out{"torchscript", file.tensors(), {}};
  for (const char* name : {"config.json", "softprompt.json"}) {
    if (const auto text = file.extra(name)) out.metadata[name] = *text;
  }
  return out;
}

FileInfo inspectSafetensors(const std::string& path) {
  const SafetensorsFile file(path);
  const auto format = file.metadata().find("format");
  const bool isCheckpoint = format != file.metadata().end() && format->second == "softprompt-checkpoint";
  const bool isPrompt = file.tensors().size() == 1 && file.find("prompt");
  return {isCheckpoint ? "checkpoint" : isPrompt ? "prompt" : "safetensors", file.tensors(), file.metadata()};
}

std::string firstBytes(const std::string& path) {
  const ReadFile file(path);
  return file.text(0, file.size() < 8 ? file.size() : 8);
}

}  // namespace

FileInfo inspectFile(const std::string& path) {
  const std::string start = firstBytes(path);
  if (looksLikeNpy(start)) return inspectNpy(path);
  if (start.starts_with("PK\3\4")) return inspectTorchScript(path);
  return inspectSafetensors(path);
}

}  // namespace softprompt
