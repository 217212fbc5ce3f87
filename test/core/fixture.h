// The checkpoints of test/fixtures with Hugging Face's answers (test/fixtures/README.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "core/t5/config.h"
#include "core/t5/load.h"

namespace fixture {

// Of test/fixtures.
std::string folder(const std::string& name);

softprompt::LoadedModel load(const std::string& path, const std::string& dtype = "float32");
// With the plain executor.
softprompt::LoadedModel loadPlain(const std::string& path, const std::string& dtype = "float32");

inline constexpr const char* kFamilies[] = {"t5-v1.0", "t5-v1.1", "flan-t5", "mt5",      "byt5",
                                            "umt5",    "pile-t5", "ul2",     "madlad400"};

struct Answers {
  explicit Answers(const std::string& family);
  const at::Tensor& operator[](const std::string& name) const { return tensors.at(name); }
  at::Tensor mask() const { return tensors.at("attention_mask").to(at::kBool); }
  // The labels shifted right behind the start token; -100 becomes padding, as in Hugging Face's code.
  at::Tensor decoderIds() const;

  softprompt::T5Config config;
  std::map<std::string, at::Tensor> tensors;
};

// [P; X] and its mask for all rows of the fixture; without a prompt, X.
softprompt::Encoded encode(softprompt::Executor& model, const Answers& answers, const at::Tensor& prompt,
                           softprompt::Pass& pass);

}  // namespace fixture
