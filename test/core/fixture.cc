#include "fixture.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <cstdlib>

#include "core/checkpoint/read_file.h"
#include "core/checkpoint/safetensors.h"

namespace fixture {

std::string folder(const std::string& name) {
  return FIXTURES "/" + name;  // CMakeLists.txt has the path, for this file alone
}

softprompt::LoadedModel load(const std::string& path, const std::string& dtype) {
  softprompt::NeverYields never;
  softprompt::LoadOptions options;
  options.path = path;
  options.device = "cpu";
  options.dtype = dtype;
  return softprompt::loadModel(options, never);
}

softprompt::LoadedModel loadPlain(const std::string& path, const std::string& dtype) {
  setenv("SOFTPROMPT_PLAIN", "1", 1);
  softprompt::LoadedModel model = load(path, dtype);
  unsetenv("SOFTPROMPT_PLAIN");
  return model;
}

Answers::Answers(const std::string& family)
    : config(softprompt::parseConfig(softprompt::readText(folder(family) + "/config.json"), family)) {
  const softprompt::SafetensorsFile file(folder(family) + "/answers.safetensors");
  for (const auto& info : file.tensors()) tensors[info.name] = file.read(info.name);
}

at::Tensor Answers::decoderIds() const {
  const at::Tensor labels = tensors.at("labels");
  const at::Tensor start = at::full({labels.size(0), 1}, config.decoderStartTokenId, labels.options());
  const at::Tensor kept = labels.narrow(1, 0, labels.size(1) - 1);
  return at::cat({start, kept.masked_fill(kept == -100, config.padTokenId)}, 1);
}

softprompt::Encoded encode(softprompt::Executor& model, const Answers& answers, const at::Tensor& prompt,
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
