#include "core/prompt/peft.h"

#include <filesystem>
#include <optional>
#include <system_error>

#include "core/checkpoint/atomic_file.h"
#include "core/checkpoint/json.h"
#include "core/checkpoint/read_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

constexpr const char* kWeights = "adapter_model.safetensors";

[[noreturn]] void invalid(const std::string& path, const std::string& what) {
  throw Error("PROMPT_FILE_INVALID", path + ": " + what);
}

struct PeftConfig {
  std::optional<int64_t> virtualTokens;
  std::optional<std::string> baseModel;
};

std::optional<std::string> stringOf(const Json& object, const char* name) {
  const Json* value = object.find(name);
  return value && value->string() ? std::optional(*value->string()) : std::nullopt;
}

PeftConfig readConfig(const std::string& path) {
  if (!isFile(path)) invalid(path, "a PEFT prompt needs this file, and it is missing");
  Json json;
  try {
    json = parseJson(readText(path));
  } catch (const JsonSyntax& e) {
    invalid(path, std::string("it is no JSON: ") + e.what());
  }
  if (!json.object()) invalid(path, "it is not a JSON object");
  const std::string type = stringOf(json, "peft_type").value_or("missing");
  if (type != "PROMPT_TUNING") invalid(path, "its peft_type is " + type + "; only PROMPT_TUNING is a soft prompt");
  const std::string task = stringOf(json, "task_type").value_or("SEQ_2_SEQ_LM");
  if (task != "SEQ_2_SEQ_LM") invalid(path, "its task_type is " + task + "; a T5's prompt has SEQ_2_SEQ_LM");
  PeftConfig config{{}, stringOf(json, "base_model_name_or_path")};
  if (const Json* tokens = json.find("num_virtual_tokens"); tokens && tokens->integer()) {
    config.virtualTokens = *tokens->integer();
  }
  return config;
}

at::Tensor readRows(const SafetensorsFile& file) {
  const TensorInfo* info = file.find(kPeftTensor);
  if (!info) invalid(file.path(), std::string("it holds no tensor named '") + kPeftTensor + "'");
  if (info->dtype != "F32" && info->dtype != "BF16" && info->dtype != "F16") {
    invalid(file.path(), "its tensor has dtype " + info->dtype + "; F32, BF16 and F16 are read");
  }
  if (info->shape.size() != 2) invalid(file.path(), "its tensor must have two dimensions, rows by d_model");
  return file.read(kPeftTensor).to(at::kFloat);
}

// JSON's string, without the quotes.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string configText(const SoftPrompt& prompt) {
  const auto base = prompt.metadata.find("peft.baseModel");
  const auto model = base != prompt.metadata.end() ? base : prompt.metadata.find("model");
  const std::string name = model == prompt.metadata.end() ? "null" : '"' + escaped(model->second) + '"';
  return R"({
  "base_model_name_or_path": )" +
         name + R"(,
  "inference_mode": true,
  "num_attention_heads": null,
  "num_layers": null,
  "num_transformer_submodules": 1,
  "num_virtual_tokens": )" +
         std::to_string(prompt.rows.size(0)) + R"(,
  "peft_type": "PROMPT_TUNING",
  "prompt_tuning_init": "RANDOM",
  "prompt_tuning_init_text": null,
  "revision": null,
  "task_type": "SEQ_2_SEQ_LM",
  "token_dim": )" +
         std::to_string(prompt.rows.size(1)) + R"(,
  "tokenizer_name_or_path": null
}
)";
}

}  // namespace

SoftPrompt readPeftPrompt(const std::string& folder) {
  const std::string configPath = folder + "/" + kPeftConfig, weightsPath = folder + "/" + kWeights;
  const PeftConfig config = readConfig(configPath);
  if (!isFile(weightsPath)) {
    invalid(weightsPath, "it is missing; save the adapter with safe_serialization=True if it is in adapter_model.bin");
  }
  const SafetensorsFile file(weightsPath);
  const at::Tensor all = readRows(file);
  const int64_t rows = config.virtualTokens.value_or(0);
  if (rows < 1 || rows > all.size(0) || all.size(0) % rows != 0) {
    invalid(configPath, "num_virtual_tokens does not fit the " + std::to_string(all.size(0)) + " rows of " + kWeights);
  }
  SoftPrompt prompt{all.narrow(0, 0, rows).clone(), file.metadata()};
  prompt.metadata.erase("format");
  if (config.baseModel) prompt.metadata["peft.baseModel"] = *config.baseModel;
  if (rows < all.size(0)) prompt.metadata["peft.unusedRows"] = std::to_string(all.size(0) - rows);
  return prompt;
}

void writePeftPrompt(const std::string& folder, const SoftPrompt& prompt) {
  std::error_code error;
  std::filesystem::create_directory(platform::toPath(folder), error);
  if (!isFolder(folder)) {
    const std::string why = error ? error.message() : "a file of that name is there";
    throw Error("FILE_WRITE", folder + " cannot be made a folder for a PEFT prompt: " + why);
  }
  std::map<std::string, std::string> metadata = prompt.metadata;
  metadata["format"] = "pt";
  writeSafetensors(folder + "/" + kWeights, {{kPeftTensor, prompt.rows}}, metadata);
  const std::string config = configText(prompt);
  AtomicFile file(folder + "/" + kPeftConfig);
  file.write(config.data(), config.size());
  file.commit();
}

}  // namespace softprompt
