#include "core/checkpoint/model_folder.h"

#include <filesystem>

#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/shard_index.h"
#include "core/checkpoint/state_dict.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

namespace fs = std::filesystem;
using Format = ModelFolder::Format;

struct Form {
  Format format;
  const char* file;
  const char* ending;
};
constexpr Form kForms[] = {{Format::kSafetensors, "model.safetensors", ".safetensors"},
                           {Format::kStateDict, "pytorch_model.bin", ".bin"}};
constexpr uint64_t kLongestIndex = 16 << 20;

std::unique_ptr<TensorSource> openFormat(Format format, const std::shared_ptr<const ReadFile>& file) {
  if (format == Format::kSafetensors) return std::make_unique<SafetensorsFile>(file);
  return std::make_unique<StateDictFile>(file);
}

// In Hugging Face's cache a file of snapshots/<revision>/ is a link into blobs/ beside snapshots/. No other link may
// lead out of the folder.
bool staysInside(const std::string& folder, const std::string& name) {
  std::error_code error;
  const fs::path home = fs::canonical(platform::toPath(folder), error);
  const fs::path file = fs::canonical(platform::toPath(folder + "/" + name), error);
  if (error) return false;
  if (file.parent_path() == home) return true;
  const fs::path snapshots = home.parent_path();
  return snapshots.filename() == "snapshots" && file.parent_path() == snapshots.parent_path() / "blobs";
}

}  // namespace

ModelFolder::ModelFolder(const std::string& folder) : TensorSource(folder), folder_(folder) {
  for (const Form& form : kForms) {
    format_ = form.format;
    const std::string whole = folder + "/" + form.file, index = whole + ".index.json";
    if (isFile(whole)) {
      takeWhole(form.file);
      return;
    }
    if (isFile(index)) {
      takeShards(index);
      return;
    }
  }
  throw Error("MODEL_FILE_MISSING", folder +
                                        " has no weights. A model is read from model.safetensors or pytorch_model.bin, "
                                        "whole or in shards with their .index.json, or from a .pt written by convert");
}

void ModelFolder::takeWhole(const std::string& name) {
  const auto file = std::make_shared<ReadFile>(folder_ + "/" + name);
  shards_.push_back({name, file->size()});
  const auto source = openFormat(format_, file);
  for (const TensorInfo& tensor : source->tensors()) add(tensor);
}

void ModelFolder::takeShards(const std::string& indexPath) {
  isSharded_ = true;
  const ShardIndex index(readText(indexPath, kLongestIndex), indexPath,
                         format_ == Format::kSafetensors ? kForms[0].ending : kForms[1].ending);
  for (const std::string& name : index.shards()) takeShard(indexPath, name, index);
  for (const auto& [tensor, shard] : index.shardOfTensor()) {
    if (find(tensor)) continue;
    throw Error("MODEL_FILE_INVALID", folder_ + "/" + shard + " lacks the tensor " + tensor + ", which " + indexPath +
                                          " says is there: the files are of different models, or one is old");
  }
}

void ModelFolder::takeShard(const std::string& indexPath, const std::string& name, const ShardIndex& index) {
  const std::string path = folder_ + "/" + name;
  if (!isFile(path)) {
    throw Error("MODEL_FILE_MISSING",
                path + " is missing, though " + indexPath + " names it: fetch the rest of the model");
  }
  if (!staysInside(folder_, name)) {
    throw Error("MODEL_FILE_INVALID",
                path + " is a link that leads out of the model's folder: put the file itself there");
  }
  const auto file = std::make_shared<ReadFile>(path);
  shards_.push_back({name, file->size()});
  const auto source = openFormat(format_, file);
  for (const TensorInfo& tensor : source->tensors()) {
    const auto place = index.shardOfTensor().find(tensor.name);
    if (place == index.shardOfTensor().end() || place->second != name) {
      throw Error("MODEL_FILE_INVALID", path + " holds the tensor " + tensor.name + ", which " + indexPath +
                                            " does not place there: the files are of different models, or one is old");
    }
    add(tensor);
  }
}

}  // namespace softprompt
