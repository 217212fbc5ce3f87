#include "core/checkpoint/inspect.h"

#include <set>
#include <utility>

#include "core/checkpoint/model_folder.h"
#include "core/checkpoint/npy.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/state_dict.h"
#include "core/checkpoint/torchscript.h"

namespace softprompt {
namespace {

bool isCopyOfShared(const TensorSource& source, const TensorInfo& tensor) {
  return source.find("shared.weight") &&
         (tensor.name == "encoder.embed_tokens.weight" || tensor.name == "decoder.embed_tokens.weight");
}

void measure(FileInfo& info, const TensorSource& source) {
  uint64_t numbers = 0;
  std::set<std::pair<const ReadFile*, uint64_t>> seen;
  for (const TensorInfo& tensor : source.tensors()) {
    if (isCopyOfShared(source, tensor)) continue;
    if (!seen.insert({tensor.place.file.get(), tensor.place.offset}).second) continue;
    numbers += static_cast<uint64_t>(tensor.elements());
  }
  for (const FileInfo::Shard& shard : info.shards) info.bytesOnDisk += shard.bytes;
  info.bytesAsFloat32 = 4 * numbers;
  info.bytesAsBfloat16 = 2 * numbers;
}

FileInfo inspectTorchScript(TorchScriptFile& file, uint64_t bytes) {
  file.parseModule();
  FileInfo out;
  out.kind = out.format = "torchscript";
  out.tensors = file.tensors();
  out.shards = {{file.path().substr(file.path().rfind('/') + 1), bytes}};
  for (const char* name : {"config.json", "softprompt.json"}) {
    if (const auto text = file.extra(name)) out.metadata[name] = *text;
  }
  measure(out, file);
  return out;
}

FileInfo inspectArchive(const std::shared_ptr<const ReadFile>& file) {
  TorchScriptFile module(file);
  if (module.isModule()) return inspectTorchScript(module, file->size());
  FileInfo out;
  out.kind = "statedict";
  out.tensors = StateDictFile(file).tensors();
  return out;
}

FileInfo inspectSafetensors(const std::shared_ptr<const ReadFile>& opened) {
  const SafetensorsFile file(opened);
  const auto format = file.metadata().find("format");
  const bool isCheckpoint = format != file.metadata().end() && format->second == "softprompt-checkpoint";
  const bool isPrompt = file.tensors().size() == 1 && file.find("prompt");
  FileInfo out;
  out.kind = isCheckpoint ? "checkpoint" : isPrompt ? "prompt" : "safetensors";
  out.tensors = file.tensors();
  out.metadata = file.metadata();
  return out;
}

FileInfo inspectFolder(const std::string& path) {
  const ModelFolder folder(path);
  FileInfo out;
  out.kind = "model";
  out.format = folder.format() == ModelFolder::Format::kSafetensors ? "safetensors" : "pytorch";
  out.tensors = folder.tensors();
  for (const ModelFolder::Shard& shard : folder.shards()) out.shards.push_back({shard.name, shard.bytes});
  measure(out, folder);
  return out;
}

}  // namespace

FileInfo inspectFile(const std::shared_ptr<const ReadFile>& file) {
  const std::string start = file->text(0, file->size() < 8 ? file->size() : 8);
  if (start.starts_with("PK\3\4")) return inspectArchive(file);
  if (!looksLikeNpy(start)) return inspectSafetensors(file);
  FileInfo out;
  out.kind = "prompt";
  out.tensors = NpyFile(file).tensors();
  return out;
}

FileInfo inspectFile(const std::string& path) {
  if (isFolder(path)) return inspectFolder(path);
  return inspectFile(std::make_shared<ReadFile>(path));
}

}  // namespace softprompt
