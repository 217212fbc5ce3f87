// The checkpoints of test/fixtures with Hugging Face's answers (test/fixtures/README.md).
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <cstdlib>
#include <map>
#include <string>

#include "core/checkpoint/read_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/t5/config.h"
#include "core/t5/load.h"

namespace fixture {

inline std::string folder(const std::string& family) {
  return std::string(FIXTURES) + "/" + family;
}

inline softprompt::LoadedModel load(const std::string& path, const std::string& dtype = "float32") {
  softprompt::NeverYields never;
  softprompt::LoadOptions options;
  options.path = path;
  options.device = "cpu";
  options.dtype = dtype;
  return softprompt::loadModel(options, never);
}

// With the plain executor.
inline softprompt::LoadedModel loadPlain(const std::string& path, const std::string& dtype = "float32") {
  setenv("SOFTPROMPT_PLAIN", "1", 1);
  softprompt::LoadedModel model = load(path, dtype);
  unsetenv("SOFTPROMPT_PLAIN");
  return model;
}

inline constexpr const char* kFamilies[] = {"t5-v1.0", "t5-v1.1", "flan-t5", "mt5",      "byt5",
                                            "umt5",    "pile-t5", "ul2",     "madlad400"};

struct Answers {
  explicit Answers(const std::string& family)
      : config(softprompt::parseConfig(softprompt::readText(folder(family) + "/config.json"), family)) {
    const softprompt::SafetensorsFile file(folder(family) + "/answers.safetensors");
    for (const auto& info : file.tensors()) tensors[info.name] = file.read(info.name);
  }
  const at::Tensor& operator[](const std::string& name) const { return tensors.at(name); }
  at::Tensor mask() const { return tensors.at("attention_mask").to(at::kBool); }
  // The labels shifted right behind the start token; -100 becomes padding, as in Hugging Face's code.
  at::Tensor decoderIds() const {
    const at::Tensor labels = tensors.at("labels");
    const at::Tensor start = at::full({labels.size(0), 1}, config.decoderStartTokenId, labels.options());
    const at::Tensor kept = labels.narrow(1, 0, labels.size(1) - 1);
    return at::cat({start, kept.masked_fill(kept == -100, config.padTokenId)}, 1);
  }
  softprompt::T5Config config;
  std::map<std::string, at::Tensor> tensors;
};

// [P; X] and its mask for all rows of the fixture; without a prompt, X.
inline softprompt::Encoded encode(softprompt::Executor& model, const Answers& answers, const at::Tensor& prompt,
                                  softprompt::Pass& pass) {
  at::Tensor embeds = model.embed(answers["input_ids"]), mask = answers.mask();
  if (prompt.defined()) {
    const int64_t rows = embeds.size(0);
    embeds = at::cat({prompt.unsqueeze(0).expand({rows, -1, -1}), embeds.to(at::kFloat)}, 1);
    mask = at::cat({at::ones({rows, prompt.size(0)}, mask.options()), mask}, 1);
  }
  return model.encode(embeds, mask, pass);
}

}  // namespace fixture
