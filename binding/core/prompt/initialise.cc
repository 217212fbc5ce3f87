#include "core/prompt/initialise.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "core/prompt/prompt.h"
#include "core/runtime/error.h"
#include "core/runtime/random.h"

namespace softprompt {
namespace {

// Stream indices of Purpose::kInitialise.
constexpr uint64_t kVocabularyStream = 0, kUniformStream = 1;

// int64 ids -> float32 [n, d] on the CPU.
at::Tensor embeddings(Executor& model, const std::vector<int64_t>& ids) {
  const at::Tensor tensor = at::tensor(ids, at::kLong).unsqueeze(0).to(model.device());
  return model.embed(tensor).squeeze(0).to(at::kCPU, at::kFloat);
}

std::vector<int64_t> checkedIds(const Executor& model, std::span<const int32_t> row, const std::string& name) {
  for (const int32_t id : row) {
    if (id < 0 || id >= model.config().vocabSize) {
      throw Error("TOKEN_OUT_OF_RANGE", name + " holds token " + std::to_string(id) + "; the model knows 0 to " +
                                            std::to_string(model.config().vocabSize - 1));
    }
  }
  return {row.begin(), row.end()};
}

// [n, d]: embeddings of n different words out of the first ones (of all, again, where n is larger than that).
at::Tensor sampledVocabulary(Executor& model, const InitOptions& options, int64_t n, uint64_t seed) {
  const int64_t population = std::min(options.sampledFrom, model.config().vocabSize);
  const CounterRandom random(seed, streamOf(Purpose::kInitialise, kVocabularyStream));
  return embeddings(model, random.sample(population, n));
}

// A row each label: the mean of its pieces' embeddings (the paper, section 3.2).
at::Tensor labelMeans(Executor& model, const TokenRows& labels) {
  std::vector<at::Tensor> means;
  for (int64_t i = 0; i < labels.size(); ++i) {
    const std::string name = "init.labels[" + std::to_string(i) + "]";
    if (labels.length(i) == 0) throw Error("OPTION_INVALID", name + " has no tokens: give it a text");
    means.push_back(embeddings(model, checkedIds(model, labels.row(i), name)).mean(0));
  }
  if (means.empty()) throw Error("OPTION_INVALID", "init.labels is empty: name at least one label");
  return at::stack(means);
}

at::Tensor textRows(Executor& model, const TokenRows& text) {
  if (text.size() == 0 || text.length(0) == 0) throw Error("OPTION_INVALID", "init.text has no tokens");
  return embeddings(model, checkedIds(model, text.row(0), "init.text"));
}

// What the options name, before it is cut or filled up to options.length.
at::Tensor namedRows(Executor& model, const InitOptions& options, uint64_t seed) {
  switch (options.kind) {
    case InitKind::kVocabulary:
      return sampledVocabulary(model, options, options.length, seed);
    case InitKind::kUniform:
      return CounterRandom(seed, streamOf(Purpose::kInitialise, kUniformStream))
          .uniformTensor({options.length, model.config().dModel}, options.low, options.high);
    case InitKind::kLabels:
      return labelMeans(model, options.labels);
    case InitKind::kText:
      return textRows(model, options.labels);
    case InitKind::kPrompt:
      checkPrompt(options.prompt, model.config().dModel);
      return options.prompt;
  }
  throw Error("OPTION_INVALID", "init.kind is unknown");
}

}  // namespace

at::Tensor initialPrompt(Executor& model, const InitOptions& options, uint64_t seed) {
  const at::NoGradGuard noGrad;
  const at::Tensor named = namedRows(model, options, seed);
  const int64_t missing = options.length - named.size(0);
  if (missing <= 0) return named.slice(0, 0, options.length).clone();
  return at::cat({named, sampledVocabulary(model, options, missing, seed)});
}

}  // namespace softprompt
