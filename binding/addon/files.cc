#include "addon/files.h"

#include <map>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/options.h"
#include "addon/values.h"
#include "addon/work.h"
#include "core/checkpoint/inspect.h"
#include "core/prompt/file.h"
#include "core/t5/load.h"

namespace softprompt {

namespace {

Napi::Object metadataObject(Napi::Env env, const std::map<std::string, std::string>& metadata) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, value] : metadata) object.Set(name, value);
  return object;
}

struct PromptFile {
  PromptNumbers numbers;
  std::map<std::string, std::string> metadata;
};

Napi::Value promptFileObject(Napi::Env env, const PromptFile& file) {
  Napi::Object object = promptObject(env, file.numbers);
  object.Set("metadata", metadataObject(env, file.metadata));
  return object;
}

// What a model's weights take, on disk and in memory.
Napi::Object weightsObject(Napi::Env env, const FileInfo& file) {
  Napi::Array shards = Napi::Array::New(env, file.shards.size());
  for (uint32_t i = 0; i < file.shards.size(); ++i) {
    Napi::Object shard = Napi::Object::New(env);
    shard.Set("name", file.shards[i].name);
    shard.Set("bytes", static_cast<double>(file.shards[i].bytes));
    shards.Set(i, shard);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("format", file.format);
  object.Set("shards", shards);
  object.Set("bytesOnDisk", static_cast<double>(file.bytesOnDisk));
  object.Set("bytesAsFloat32", static_cast<double>(file.bytesAsFloat32));
  object.Set("bytesAsBfloat16", static_cast<double>(file.bytesAsBfloat16));
  return object;
}

Napi::Value fileInfoObject(Napi::Env env, const FileInfo& file) {
  Napi::Array tensors = Napi::Array::New(env, file.tensors.size());
  for (uint32_t i = 0; i < file.tensors.size(); ++i) {
    const TensorInfo& tensor = file.tensors[i];
    Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
    for (uint32_t j = 0; j < tensor.shape.size(); ++j) shape.Set(j, static_cast<double>(tensor.shape[j]));
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", tensor.name);
    object.Set("dtype", tensor.dtype);
    object.Set("shape", shape);
    tensors.Set(i, object);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", file.kind);
  object.Set("tensors", tensors);
  object.Set("metadata", metadataObject(env, file.metadata));
  if (!file.format.empty()) object.Set("weights", weightsObject(env, file));
  return object;
}

template <typename Work, typename ToJs>
Napi::Value onUtilityThread(Napi::Env env, TaskKind kind, Work work, ToJs toJs) {
  return startJob({env, {}, {}}, Environment::of(env).utilityThread(), kind, std::move(work), std::move(toJs));
}

}  // namespace

Napi::Value convert(const Napi::CallbackInfo& info) {
  auto work = [folder = text(info[0], "folder"), out = text(info[1], "out"),
               dtype = text(info[2], "dtype")](YieldPoint& yieldPoint) {
    convertModel(folder, out, dtype, yieldPoint);
    return Nothing{};
  };
  return onUtilityThread(info.Env(), TaskKind::kWork, std::move(work), toUndefined);
}

Napi::Value loadPromptFile(const Napi::CallbackInfo& info) {
  auto work = [path = text(info[0], "path")](YieldPoint&) {
    SoftPrompt prompt = loadPrompt(path);
    return PromptFile{promptNumbers(prompt.rows), std::move(prompt.metadata)};
  };
  return onUtilityThread(info.Env(), TaskKind::kRequest, std::move(work), promptFileObject);
}

Napi::Value savePromptFile(const Napi::CallbackInfo& info) {
  auto work = [prompt = softPrompt(info[0]), path = text(info[1], "path"),
               format = text(info[2], "format")](YieldPoint&) {
    savePrompt(prompt, path, format);
    return Nothing{};
  };
  return onUtilityThread(info.Env(), TaskKind::kRequest, std::move(work), toUndefined);
}

Napi::Value inspect(const Napi::CallbackInfo& info) {
  auto work = [path = text(info[0], "path")](YieldPoint&) { return inspectFile(path); };
  return onUtilityThread(info.Env(), TaskKind::kRequest, std::move(work), fileInfoObject);
}

}  // namespace softprompt
