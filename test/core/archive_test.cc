// The .pt files that convert writes, those of others, and damaged ones.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/serialization/import.h>

#include "check.h"
#include "core/checkpoint/inspect.h"
#include "core/checkpoint/pickle.h"
#include "core/checkpoint/torchscript.h"
#include "core/t5/load.h"
#include "fixture.h"
#include "temp_folder.h"

namespace {

softprompt::LoadedModel loadTrusted(const std::string& path) {
  softprompt::NeverYields never;
  softprompt::LoadOptions options;
  options.path = path;
  options.device = "cpu";
  options.trust = true;
  return softprompt::loadModel(options, never);
}

at::Tensor plainLogits(softprompt::Executor& model, const fixture::Answers& answers) {
  softprompt::NeverYields never;
  softprompt::Pass pass{never};
  return model.logits(model.decode(answers.decoderIds(), fixture::encode(model, answers, {}, pass), pass));
}

std::string converted(const std::string& folder, const TempFolder& temp, const std::string& dtype = "float32") {
  softprompt::NeverYields never;
  softprompt::convertModel(folder, temp.file("m.pt"), dtype, never);
  return temp.file("m.pt");
}

}  // namespace

TEST(archiveRoundTrip) {
  for (const char* family : {"t5-v1.0", "t5-v1.1", "umt5", "ul2", "madlad400"}) {
    const TempFolder temp;
    const std::string path = converted(fixture::folder(family), temp);
    CHECK_EQ(temp.count(), 1u);
    const fixture::Answers answers(family);
    const auto folder = fixture::load(fixture::folder(family)), archive = fixture::load(path);
    CHECK(at::equal(plainLogits(*archive.executor, answers), plainLogits(*folder.executor, answers)));
    CHECK_EQ(archive.fingerprint, folder.fingerprint);
    CHECK_EQ(archive.configJson, folder.configJson);
    CHECK_EQ(archive.parameterCount, folder.parameterCount);
    for (const auto& [name, tensor] : archive.executor->parameters()) CHECK(!tensor.requires_grad());
    const std::string again = bytesOf(path);
    converted(fixture::folder(family), temp);
    CHECK(bytesOf(path) == again);  // the same checkpoint, the same bytes
  }
}

TEST(archiveInBfloat16KeepsTheFingerprint) {
  const TempFolder temp;
  const std::string path = converted(fixture::folder("t5-v1.1"), temp, "bfloat16");
  const auto folder = fixture::load(fixture::folder("t5-v1.1"), "bfloat16"), archive = fixture::load(path, "bfloat16");
  const fixture::Answers answers("t5-v1.1");
  CHECK_EQ(archive.fingerprint, folder.fingerprint);
  CHECK(at::equal(plainLogits(*archive.executor, answers), plainLogits(*folder.executor, answers)));
}

TEST(archiveRunsByItsOwnCode) {
  for (const char* family : {"t5-v1.0", "t5-v1.1", "umt5", "ul2", "madlad400"}) {
    const TempFolder temp;
    const std::string path = converted(fixture::folder(family), temp);
    const fixture::Answers answers(family);
    torch::jit::Module module = torch::jit::load(path);
    const at::Tensor logits =
        module.forward({answers["input_ids"], answers["attention_mask"], answers.decoderIds()}).toTensor();
    CHECK_CLOSE(logits, answers["plain.logits"], 1e-5);
  }
}

TEST(foreignArchive) {
  const TempFolder temp;
  const std::string path = converted(fixture::folder("t5-v1.1"), temp);
  torch::jit::Module module = torch::jit::load(path);
  module.define("def more(self):\n    return 1\n");  // other code: no longer ours
  module.save(temp.file("f.pt"), {{"config.json", bytesOf(fixture::folder("t5-v1.1") + "/config.json")}});
  CHECK_THROWS(fixture::load(temp.file("f.pt")), "MODEL_UNTRUSTED");

  const auto model = loadTrusted(temp.file("f.pt"));
  const fixture::Answers answers("t5-v1.1");
  CHECK_CLOSE(plainLogits(*model.executor, answers), answers["plain.logits"], 1e-5);
  CHECK_EQ(model.fingerprint, fixture::load(fixture::folder("t5-v1.1")).fingerprint);
  softprompt::NeverYields never;
  softprompt::Pass pass{never};
  const auto encoded = fixture::encode(*model.executor, answers, {}, pass);
  const at::Tensor ids = answers.decoderIds().repeat({1, 4}), expected = model.executor->decode(ids, encoded, pass);
  auto cache = model.executor->startCache(encoded, pass);
  for (int64_t t = 0; t < ids.size(1); ++t) {
    CHECK_CLOSE(model.executor->step(ids.select(1, t), *cache, pass), expected.select(1, t), 1e-5);
  }

  torch::jit::Module empty("m");
  empty.register_parameter("w", at::zeros({1}), false);
  empty.define("def embed(self, ids: Tensor) -> Tensor:\n    return ids\n");
  empty.save(temp.file("e.pt"), {{"config.json", bytesOf(fixture::folder("t5-v1.1") + "/config.json")}});
  CHECK_THROWS(fixture::load(temp.file("e.pt")), "MODEL_UNTRUSTED");
  CHECK_THROWS(loadTrusted(temp.file("e.pt")), "TORCHSCRIPT_INVALID");
  empty.save(temp.file("n.pt"));
  CHECK_THROWS(loadTrusted(temp.file("n.pt")), "CONFIG_MISSING");
  temp.write("text.pt", "not an archive");
  CHECK_THROWS(fixture::load(temp.file("text.pt")), "TORCHSCRIPT_INVALID");
}

TEST(archiveDamage) {
  const TempFolder temp;
  const std::string path = converted(fixture::folder("t5-v1.1"), temp);
  const std::string whole = bytesOf(path);
  // Numbers changed: found by the hash of what was written.
  std::string changed = whole;
  const at::Tensor head =
      softprompt::SafetensorsFile(fixture::folder("t5-v1.1") + "/model.safetensors").read("lm_head.weight");
  const std::string values(static_cast<const char*>(head.const_data_ptr()), 16);
  CHECK(changed.find(values) != std::string::npos);
  changed[changed.find(values)] ^= 1;
  temp.write("c.pt", changed);
  CHECK_THROWS(fixture::load(temp.file("c.pt")), "TORCHSCRIPT_INVALID");

  const auto open = [](const std::string& bytes) {
    softprompt::TorchScriptFile file(std::make_shared<softprompt::ReadFile>("x.pt", bytes));
    file.code();
    file.parseModule();
    for (const auto& info : file.tensors()) file.read(info.name);
  };
  open(whole);
  for (size_t cut = 1; cut < 40000; cut += 97)
    CHECK_THROWS(open(whole.substr(0, whole.size() - cut)), "TORCHSCRIPT_INVALID");
  int refused = 0;
  for (size_t i = 0; i < 1500; ++i) {  // the directory is at the end
    std::string flipped = whole;
    flipped[whole.size() - 1 - 7 * i % 12000] ^= static_cast<char>(1 << i % 8);
    try {
      open(flipped);
    } catch (const softprompt::Error&) {
      ++refused;
    }
  }
  CHECK(refused > 500);
}

TEST(pickleGarbage) {
  const TempFolder temp;
  const std::string path = converted(fixture::folder("t5-v1.0"), temp);
  const softprompt::ZipFile zip(std::make_shared<softprompt::ReadFile>(path), "TORCHSCRIPT_INVALID");
  std::string bytes;
  for (const auto& entry : zip.entries()) {
    if (entry.name.ends_with("/data.pkl")) bytes = zip.text(entry);
  }
  const auto isRefused = [](const std::string& text) {
    try {
      softprompt::Pickle pickle(text);
    } catch (const softprompt::PickleSyntax&) {
      return true;
    }
    return false;
  };
  CHECK(!isRefused(bytes));
  const char call[] =
      "\x80\x02"
      "cos\nsystem\nX\x02\0\0\0ls\x85R.";
  CHECK(isRefused(std::string(call, sizeof call - 1)));  // calls nothing
  CHECK(isRefused(std::string("\x80\x02(((((((((((.", 14)));
}

TEST(inspectFiles) {
  const TempFolder temp;
  const auto model = softprompt::inspectFile(fixture::folder("t5-v1.0") + "/model.safetensors");
  CHECK_EQ(model.kind, "safetensors");
  CHECK_EQ(model.tensors.size(), 55u);
  const auto archive = softprompt::inspectFile(converted(fixture::folder("t5-v1.0"), temp));
  CHECK_EQ(archive.kind, "torchscript");
  CHECK_EQ(archive.tensors.size(), model.tensors.size());
  CHECK(archive.metadata.contains("config.json"));
  CHECK_THROWS(softprompt::inspectFile(temp.file("absent")), "FILE_NOT_FOUND");
  softprompt::writeSafetensors(temp.file("run"), {{"prompt", at::zeros({1, 2})}},
                               {{"format", "softprompt-checkpoint"}});
  CHECK_EQ(softprompt::inspectFile(temp.file("run")).kind, "checkpoint");
}

TEST(convertRefusals) {
  softprompt::NeverYields never;
  const TempFolder temp;
  const std::string folder = fixture::folder("t5-v1.0");
  CHECK_THROWS(softprompt::convertModel(folder, temp.file("no/m.pt"), "float32", never), "FILE_WRITE");
  CHECK_THROWS(softprompt::convertModel(temp.file("absent"), temp.file("m.pt"), "float32", never), "MODEL_NOT_FOUND");
  CHECK_THROWS(softprompt::convertModel(temp.path(), temp.file("m.pt"), "float32", never), "CONFIG_MISSING");
  CHECK_EQ(temp.count(), 0u);
}
