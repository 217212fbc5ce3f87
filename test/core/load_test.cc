// Folders: what is taken, what is refused, and fingerprints.
#include "core/t5/load.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <set>

#include "check.h"
#include "core/t5/fused_weights.h"
#include "fixture.h"
#include "temp_folder.h"

using softprompt::NamedTensors;

namespace {

// A copy of a fixture that a test may change.
struct Folder {
  explicit Folder(const std::string& family = "t5-v1.1") {
    config = bytesOf(fixture::folder(family) + "/config.json");
    const softprompt::SafetensorsFile file(fixture::folder(family) + "/model.safetensors");
    for (const auto& info : file.tensors()) tensors.emplace_back(info.name, file.read(info.name));
  }
  const std::string& write() const {
    temp.write("config.json", config);
    softprompt::writeSafetensors(temp.file("model.safetensors"), tensors, {});
    return temp.path();
  }
  at::Tensor& operator[](const std::string& name) {
    for (auto& [known, tensor] : tensors) {
      if (known == name) return tensor;
    }
    return tensors.emplace_back(name, at::Tensor()).second;
  }
  void remove(const std::string& name) {
    std::erase_if(tensors, [&](const auto& entry) { return entry.first == name; });
  }
  void set(const std::string& from, const std::string& to) {
    const size_t at = config.find(from);
    CHECK(at != std::string::npos);
    config.replace(at, from.size(), to);
  }
  TempFolder temp;
  std::string config;
  NamedTensors tensors;
};

std::string fingerprint(const std::string& path, const std::string& dtype = "float32") {
  return fixture::load(path, dtype).fingerprint;
}

}  // namespace

TEST(loadCountsAndFreezes) {
  const auto model = fixture::load(fixture::folder("t5-v1.0"));
  int64_t values = 0;
  for (const auto& [name, tensor] : model.executor->parameters()) {
    CHECK(!tensor.requires_grad());
    values += tensor.numel();
  }
  CHECK_EQ(model.parameterCount, values);
  CHECK_EQ(model.bytes, 4 * values);
  CHECK_EQ(model.configJson, bytesOf(fixture::folder("t5-v1.0") + "/config.json"));
  std::set<std::string> names;
  const softprompt::SafetensorsFile file(fixture::folder("t5-v1.0") + "/model.safetensors");
  for (const auto& [name, tensor] : model.executor->parameters()) {
    names.insert(name);
    CHECK(at::equal(tensor, file.read(name)));
  }
  CHECK_EQ(names.size(), file.tensors().size());
}

// So that nothing is moved, and nothing held twice, once it is read.
TEST(loadReadsWhatIsMultipliedTogetherSideBySide) {
  const auto model = fixture::load(fixture::folder("t5-v1.1"));
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : model.executor->parameters()) tensors[name] = tensor;
  const auto groups = softprompt::fusedNames(model.executor->config());
  CHECK_EQ(groups.size(), size_t{3 * 2 + 2 * 2 + 1});  // q, k, v and wi_0, wi_1 of five blocks, and all cross k, v
  for (const auto& names : groups) {
    const char* next = static_cast<const char*>(tensors.at(names[0]).const_data_ptr());
    for (const std::string& name : names) {
      CHECK_EQ(tensors.at(name).const_data_ptr() == next, true);
      next += tensors.at(name).nbytes();
    }
    CHECK_EQ(tensors.at(names[0]).storage().nbytes(),
             static_cast<size_t>(next - static_cast<const char*>(tensors.at(names[0]).const_data_ptr())));
  }
}

TEST(loadRefusals) {
  const TempFolder empty;
  CHECK_THROWS(fixture::load(empty.path()), "CONFIG_MISSING");
  CHECK_THROWS(fixture::load(empty.file("absent")), "MODEL_NOT_FOUND");
  Folder noWeights;
  noWeights.temp.write("config.json", noWeights.config);
  CHECK_THROWS(fixture::load(noWeights.temp.path()), "MODEL_FILE_MISSING");
  const std::string name = "encoder.block.1.layer.0.SelfAttention.q.weight";
  {
    Folder folder;
    folder.remove(name);
    CHECK_THROWS(fixture::load(folder.write()), "MODEL_TENSOR_MISSING");
  }
  {
    Folder folder;
    folder[name] = folder[name].t().contiguous();
    CHECK_THROWS(fixture::load(folder.write()), "MODEL_TENSOR_SHAPE");
  }
  {
    Folder folder;
    folder[name] = folder[name].to(at::kDouble);
    CHECK_THROWS(fixture::load(folder.write()), "MODEL_TENSOR_DTYPE");
  }
  {
    Folder folder;
    folder["encoder.block.0.layer.0.SelfAttention.q.bias"] = at::zeros({40});
    CHECK_THROWS(fixture::load(folder.write()), "MODEL_TENSOR_UNKNOWN");
  }
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Folder folder;
    folder[name].view(-1)[17].fill_(bad);
    CHECK_THROWS(fixture::load(folder.write()), "MODEL_NOT_FINITE");
  }
  {
    Folder folder;
    folder["encoder.embed_tokens.weight"] = folder["shared.weight"] + 1;
    CHECK_THROWS(fixture::load(folder.write()), "MODEL_UNSUPPORTED");
  }
  CHECK_THROWS(fixture::load(fixture::folder("t5-v1.0"), "float16"), "OPTION_INVALID");
}

TEST(loadConfigThatContradictsTheTensors) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"\"d_model\": 48", "\"d_model\": 64", "MODEL_TENSOR_SHAPE"},
      {"\"d_ff\": 56", "\"d_ff\": 64", "MODEL_TENSOR_SHAPE"},
      {"\"vocab_size\": 120", "\"vocab_size\": 128", "MODEL_TENSOR_SHAPE"},
      {"\"num_heads\": 2", "\"num_heads\": 3", "MODEL_TENSOR_SHAPE"},
      {"\"num_layers\": 3", "\"num_layers\": 4", "MODEL_TENSOR_MISSING"},
      {"\"num_layers\": 3", "\"num_layers\": 2", "MODEL_TENSOR_UNKNOWN"},
      {"gated-gelu", "relu", "MODEL_TENSOR_UNKNOWN"},
      {"\"model_type\": \"t5\"", "\"model_type\": \"umt5\"", "MODEL_TENSOR_MISSING"},
  };
  for (const auto& [from, to, code] : cases) {
    Folder folder;
    folder.set(from, to);
    CHECK_THROWS(fixture::load(folder.write()), code);
  }
}

TEST(loadGarbledWeights) {
  Folder folder;
  folder.write();
  const std::string whole = bytesOf(folder.temp.file("model.safetensors"));
  for (const size_t n : {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    folder.temp.write("model.safetensors", whole.substr(0, n));
    CHECK_THROWS(fixture::load(folder.temp.path()), "SAFETENSORS_TRUNCATED");
  }
  folder.temp.write("model.safetensors", "<!DOCTYPE html><html>not found</html>");
  CHECK_THROWS(fixture::load(folder.temp.path()), "SAFETENSORS_INVALID");
}

TEST(fingerprintIsOfTheModelAlone) {
  const std::string plain = fingerprint(fixture::folder("t5-v1.1"));
  CHECK_EQ(plain.size(), 64u);
  CHECK_EQ(fingerprint(fixture::folder("t5-v1.1"), "bfloat16"), plain);
  CHECK(fingerprint(fixture::folder("t5-v1.0")) != plain);
  {
    Folder folder;  // the config in other words; copies; a stray tensor
    folder.set("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true, \"scale_decoder_outputs\": false");
    folder.set("\"dropout_rate\": 0.1", "\"dropout_rate\": 0.0");
    folder["encoder.embed_tokens.weight"] = folder["shared.weight"];
    folder["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = at::zeros({32, 2});
    CHECK_EQ(fingerprint(folder.write()), plain);
  }
  {
    Folder folder;  // no "shared"
    folder["decoder.embed_tokens.weight"] = folder["shared.weight"];
    folder.remove("shared.weight");
    CHECK_EQ(fingerprint(folder.write()), plain);
  }
  {
    Folder folder;
    folder["lm_head.weight"].view(-1)[0] += 1e-3;
    CHECK(fingerprint(folder.write()) != plain);
  }
  {
    Folder folder;
    folder.set("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    CHECK(fingerprint(folder.write()) != plain);
  }
  {
    Folder half, full;  // a bfloat16 checkpoint and its float32 copy
    for (auto& [name, tensor] : half.tensors) tensor = tensor.to(at::kBFloat16);
    for (auto& [name, tensor] : full.tensors) tensor = tensor.to(at::kBFloat16).to(at::kFloat);
    CHECK_EQ(fingerprint(half.write()), fingerprint(full.write()));
  }
  {
    Folder tied("t5-v1.0");  // a head that repeats the embedding
    tied["lm_head.weight"] = tied["shared.weight"];
    CHECK_EQ(fingerprint(tied.write()), fingerprint(fixture::folder("t5-v1.0")));
  }
}
