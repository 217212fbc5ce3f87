// One checkpoint in all its forms on disk is one model; numbers are converted as LibTorch would.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <filesystem>

#include "check.h"
#include "core/checkpoint/inspect.h"
#include "core/checkpoint/model_folder.h"
#include "core/runtime/random.h"
#include "core/t5/load.h"
#include "core/t5/read_tensors.h"
#include "fixture.h"
#include "temp_folder.h"

using softprompt::NamedTensors;

namespace {

const std::string kFolder = fixture::folder("t5-v1.0");

NamedTensors tensorsOf(const std::string& path) {
  const softprompt::SafetensorsFile file(path);
  NamedTensors out;
  for (const auto& info : file.tensors()) out.emplace_back(info.name, file.read(info.name));
  return out;
}

void addConfig(const TempFolder& temp) {
  temp.write("config.json", bytesOf(kFolder + "/config.json"));
}

// The checkpoint in two shards, the tensors in turn.
void writeShards(const TempFolder& temp) {
  const std::string names[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
  NamedTensors parts[2];
  std::string map;
  for (const auto& [name, tensor] : tensorsOf(kFolder + "/model.safetensors")) {
    const size_t part = (map.size() / 7) % 2;
    parts[part].emplace_back(name, tensor);
    map += (map.empty() ? "\"" : ", \"") + name + "\": \"" + names[part] + "\"";
  }
  for (int i = 0; i < 2; ++i) softprompt::writeSafetensors(temp.file(names[i]), parts[i], {});
  temp.write("model.safetensors.index.json", "{\"metadata\": {}, \"weight_map\": {" + map + "}}");
  addConfig(temp);
}

void checkSame(const softprompt::LoadedModel& model, const std::string& dtype) {
  const auto expected = fixture::load(kFolder, dtype);
  CHECK_EQ(model.fingerprint, expected.fingerprint);
  const auto parameters = model.executor->parameters(), wanted = expected.executor->parameters();
  CHECK_EQ(parameters.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK_EQ(parameters[i].first, wanted[i].first);
    CHECK(at::equal(parameters[i].second, wanted[i].second));
    CHECK(parameters[i].second.is_contiguous());
  }
}

at::Tensor uniform(at::IntArrayRef shape) {
  return softprompt::CounterRandom(3, 0).uniformTensor(shape, -4, 4);
}

class Cancels final : public softprompt::YieldPoint {
 public:
  void pause() override { throw softprompt::Cancelled(); }
};

}  // namespace

TEST(formStateDict) {
  for (const char* dtype : {"float32", "bfloat16"}) checkSame(fixture::load(kFolder + "-bin", dtype), dtype);
}

TEST(formShards) {
  const TempFolder temp;
  writeShards(temp);
  for (const char* dtype : {"float32", "bfloat16"}) checkSame(fixture::load(temp.path(), dtype), dtype);
}

TEST(formSafetensorsIsPreferred) {
  const TempFolder temp;
  writeShards(temp);
  temp.write("pytorch_model.bin", "not even an archive");
  checkSame(fixture::load(temp.path()), "float32");
}

TEST(formHalvesAreConvertedAsLibTorchWould) {
  const NamedTensors full = tensorsOf(kFolder + "/model.safetensors");
  for (const at::ScalarType held : {at::kHalf, at::kBFloat16}) {
    const TempFolder temp;
    addConfig(temp);
    NamedTensors halves;
    for (const auto& [name, tensor] : full) halves.emplace_back(name, tensor.to(held));
    softprompt::writeSafetensors(temp.file("model.safetensors"), halves, {});
    for (const auto& [dtype, type] : {std::pair{"float32", at::kFloat}, {"bfloat16", at::kBFloat16}}) {
      const auto model = fixture::load(temp.path(), dtype);
      std::map<std::string, at::Tensor> loaded;
      for (const auto& [name, tensor] : model.executor->parameters()) loaded[name] = tensor;
      for (const auto& [name, tensor] : halves) CHECK(at::equal(loaded.at(name), tensor.to(at::kFloat).to(type)));
    }
  }
}

TEST(formManyNumbersInPieces) {  // more than one piece, and an odd rest
  const TempFolder temp;
  const at::Tensor values = uniform({331, 421});
  softprompt::writeSafetensors(temp.file("x"), {{"a", values}, {"b", values.to(at::kHalf)}}, {});
  const softprompt::SafetensorsFile file(temp.file("x"));
  softprompt::NeverYields never;
  double last = 0;
  softprompt::ReadOptions options;
  options.dtype = at::kBFloat16;
  options.onProgress = [&](double fraction) {
    CHECK(fraction >= last);
    last = fraction;
  };
  const auto read = softprompt::readTensors({{file.find("a"), true}, {file.find("b"), true}, {file.find("a"), false}},
                                            options, never);
  CHECK(at::equal(read[0].values, values.to(at::kBFloat16)));
  CHECK(at::equal(read[1].values, values.to(at::kHalf).to(at::kFloat).to(at::kBFloat16)));
  CHECK(!read[2].values.defined());
  CHECK_EQ(read[2].digest, read[0].digest);
  CHECK(read[1].digest != read[0].digest);
  CHECK_EQ(last, 1.0);
  Cancels cancels;
  bool isCancelled = false;
  try {
    softprompt::readTensors({{file.find("a"), true}, {file.find("b"), true}}, {}, cancels);
  } catch (const softprompt::Cancelled&) {
    isCancelled = true;
  }
  CHECK(isCancelled);
}

TEST(formShardLinks) {
  namespace fs = std::filesystem;
  const std::string shard = "model-00001-of-00002.safetensors";
  const TempFolder temp;
  const fs::path cache = temp.path(), snapshot = cache / "snapshots" / "main", blobs = cache / "blobs";
  fs::create_directories(snapshot);
  fs::create_directories(blobs);
  {
    const TempFolder whole;
    writeShards(whole);
    for (const auto& entry : fs::directory_iterator(whole.path()))
      fs::copy(entry.path(), snapshot / entry.path().filename());
  }
  fs::rename(snapshot / shard, blobs / "a");
  fs::create_symlink("../../blobs/a", snapshot / shard);
  checkSame(fixture::load(snapshot.string()), "float32");
  fs::rename(blobs / "a", cache / "a");  // a link that leads elsewhere
  fs::remove(snapshot / shard);
  fs::create_symlink("../../a", snapshot / shard);
  CHECK_THROWS(fixture::load(snapshot.string()), "MODEL_FILE_INVALID");
}

TEST(formInspected) {
  const auto whole = softprompt::inspectFile(kFolder), bin = softprompt::inspectFile(kFolder + "-bin");
  CHECK_EQ(whole.kind, "model");
  CHECK_EQ(whole.format, "safetensors");
  CHECK_EQ(bin.format, "pytorch");
  CHECK_EQ(whole.shards.size(), 1u);
  CHECK_EQ(whole.shards[0].name, "model.safetensors");
  CHECK_EQ(whole.bytesOnDisk, std::filesystem::file_size(kFolder + "/model.safetensors"));
  const auto model = fixture::load(kFolder);
  CHECK_EQ(whole.bytesAsFloat32, static_cast<uint64_t>(model.bytes));
  CHECK_EQ(bin.bytesAsFloat32, whole.bytesAsFloat32);  // its copies share their bytes
  CHECK_EQ(whole.bytesAsBfloat16 * 2, whole.bytesAsFloat32);
  CHECK_EQ(bin.tensors.size(), whole.tensors.size() + 3);
  const TempFolder temp;
  writeShards(temp);
  const auto shards = softprompt::inspectFile(temp.path());
  CHECK_EQ(shards.shards.size(), 2u);
  CHECK_EQ(shards.bytesAsFloat32, whole.bytesAsFloat32);
  CHECK_THROWS(softprompt::inspectFile(temp.file("absent")), "FILE_NOT_FOUND");
}

// TorchScript calls a module's __setstate__ while it loads: reading the file as data does not.
TEST(foreignCodeIsNotRun) {
  const TempFolder temp;
  const std::string mark = temp.file("mark");
  torch::jit::Module module("m");
  module.register_parameter("w", at::zeros({1}), false);
  module.define("def __getstate__(self):\n    return self.w\n");
  module.define(
      "def __setstate__(self, state: Tensor) -> None:\n    self.w = state\n    torch.save(state, "
      "\"" +
      mark + "\")\n");
  module.save(temp.file("m.pt"), {{"config.json", bytesOf(kFolder + "/config.json")},
                                  {"softprompt.json", "{\"format\": 1, \"fingerprint\": \"x\", \"held\": \"x\"}"}});
  CHECK_THROWS(fixture::load(temp.file("m.pt")), "MODEL_UNTRUSTED");
  CHECK(!std::filesystem::exists(mark));
  torch::jit::load(temp.file("m.pt"));
  CHECK(std::filesystem::exists(mark));  // so this would have shown it
}
