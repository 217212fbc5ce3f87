// Training of all weights: gradients and steps against Hugging Face and PyTorch (test/fixtures/train/make_trainer.py),
// and the fast way against the plain one.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "check.h"
#include "core/t5/plain_trainable.h"
#include "core/t5/trainable_model.h"
#include "core/train/batch.h"
#include "core/train/cross_entropy.h"
#include "core/train/dropout.h"
#include "core/train/model_trainer.h"
#include "fixture.h"
#include "hashed.h"
#include "temp_folder.h"

using namespace softprompt;
using fixture::kFamilies;

namespace {

struct Rows {
  TokenRows inputs, targets;
};

// The fixture's batch as rows.
Rows rowsOf(const fixture::Answers& answers) {
  Rows rows;
  const auto add = [](TokenRows& to, const at::Tensor& ids, const at::Tensor& isReal) {
    const at::Tensor real = ids.masked_select(isReal).to(at::kInt);
    to.append({real.const_data_ptr<int32_t>(), static_cast<size_t>(real.numel())});
  };
  const at::Tensor ids = answers["input_ids"], labels = answers["labels"], mask = answers.mask();
  for (int64_t row = 0; row < ids.size(0); ++row) {
    add(rows.inputs, ids[row], mask[row]);
    add(rows.targets, labels[row], labels[row] != -100);
  }
  return rows;
}

LoadedModel trainable(const std::string& family, const std::string& dtype = "float32", bool isPlain = false) {
  NeverYields never;
  const LoadedModel source =
      isPlain ? fixture::loadPlain(fixture::folder(family)) : fixture::load(fixture::folder(family));
  if (isPlain) setenv("SOFTPROMPT_PLAIN", "1", 1);
  LoadedModel copy = trainableCopy(source, {dtype, "cpu"}, never);
  unsetenv("SOFTPROMPT_PLAIN");
  return copy;
}

// By name, of the fixture's batch and its mean loss.
std::map<std::string, at::Tensor> gradientsOf(const std::string& family, const std::string& dtype, bool isPlain,
                                              double dropRate) {
  const fixture::Answers answers(family);
  const LoadedModel model = trainable(family, dtype, isPlain);
  const auto network = model.executor->trainable();
  const Rows rows = rowsOf(answers);
  const std::vector<int64_t> which{0, 1, 2, 3};
  const EncoderIds encoder = encoderIds(rows.inputs, which, answers.config, kInputBucket);
  const DecoderTargets decoder = decoderTargets(rows.targets, which, answers.config, kTargetBucket);
  const StepDropout dropout(dropRate, 2, {{5, 0}, {5, 1}, {5, 2}, {5, 3}});
  NeverYields never;
  Pass pass{never, dropRate > 0 ? &dropout : nullptr};
  const at::Tensor hidden = network->forward({encoder.ids, encoder.mask, decoder.decoderIds, decoder.positions}, pass);
  const LogitsOf logitsOf = [&](const at::Tensor& chunk) { return network->logits(chunk); };
  const LossOptions loss{.reduction = Reduction::kMean};
  const CrossEntropy entropy = crossEntropy(logitsOf, answers.config.vocabSize, hidden, decoder.ids, loss, never, 0,
                                            /*chunkLogits=*/5 * answers.config.vocabSize);
  network->backward(entropy.hiddenGradient);
  std::map<std::string, at::Tensor> gradients;
  for (const TrainableWeight& weight : network->weights()) gradients[weight.name] = weight.gradient.clone();
  return gradients;
}

// make_trainer.py's: at most 24 numbers of each tensor, and its norm, in the order of names.
constexpr int64_t kSample = 24;

struct Sampled {
  at::Tensor numbers, norms;
};
Sampled sampled(const std::map<std::string, at::Tensor>& tensors) {
  std::vector<at::Tensor> numbers, norms;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor flat = tensor.detach().to(at::kDouble).flatten();
    numbers.push_back(flat.slice(0, 0, flat.numel(), (flat.numel() + kSample - 1) / kSample));
    norms.push_back(flat.norm());
  }
  return {at::cat(numbers), at::stack(norms)};
}

// The largest difference of each tensor's numbers and norm, beside the norm over the root of its size.
void checkSampled(const std::map<std::string, at::Tensor>& tensors, const std::string& answer, double tolerance) {
  static const SafetensorsFile file(fixture::folder("train") + "/trainer.safetensors");
  const at::Tensor numbers = file.read(answer), norms = file.read(answer + ".norms");
  const Sampled got = sampled(tensors);
  CHECK_EQ(got.numbers.numel(), numbers.numel());
  int64_t from = 0, i = 0;
  for (const auto& [name, tensor] : tensors) {
    const int64_t size = tensor.numel(), stride = (size + kSample - 1) / kSample, count = (size + stride - 1) / stride;
    const double norm = norms[i].item<double>();
    const double apart = (got.numbers - numbers).narrow(0, from, count).abs().max().item<double>();
    const bool isClose = apart <= tolerance * std::max(numbers.narrow(0, from, count).abs().max().item<double>(),
                                                       norm / std::sqrt(static_cast<double>(size)));
    if (!isClose || std::abs(got.norms[i].item<double>() - norm) > tolerance * norm) {
      check::fail(__FILE__, __LINE__,
                  answer + " " + name + ": " + std::to_string(apart) + " apart, norm " +
                      std::to_string(got.norms[i].item<double>()) + " for " + std::to_string(norm));
    }
    from += count;
    ++i;
  }
}

// |a - b| / |b| over all tensors together, and of the worst alone.
struct Distance {
  double together, worst;
};
Distance distance(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b) {
  double apart = 0, all = 0, worst = 0;
  for (const auto& [name, tensor] : b) {
    const double difference = (a.at(name) - tensor).norm().item<double>(), norm = tensor.norm().item<double>();
    apart += difference * difference;
    all += norm * norm;
    worst = std::max(worst, difference / norm);
  }
  return {std::sqrt(apart / all), worst};
}

std::map<std::string, at::Tensor> mastersOf(const LoadedModel& model) {
  return {model.masters.begin(), model.masters.end()};
}

ModelTrainerOptions adamw() {
  OptimizerOptions o{
      .kind = OptimizerKind::kAdamW, .learningRate = 1e-3, .weightDecay = 0.01, .epsilon = 1e-5, .maxGradientNorm = 1};
  return {.loss = {.reduction = Reduction::kMean}, .rule = {.optimizer = o}};
}

ModelTrainerOptions adafactor() {
  OptimizerOptions o{.learningRate = 0.01, .weightDecay = 0, .minDimSizeToFactor = 16};
  return {.loss = {.reduction = Reduction::kMean}, .rule = {.optimizer = o, .parameterScaling = true}};
}

}  // namespace

TEST(weightGradientsAreHuggingFaces) {
  for (const char* family : kFamilies) {
    for (const bool isPlain : {true, false}) {
      checkSampled(gradientsOf(family, "float32", isPlain, 0), std::string(family) + ".gradients", 1e-4);
    }
  }
}

TEST(fastWeightGradientsArePlain) {
  for (const char* family : kFamilies) {
    const auto exact = gradientsOf(family, "float32", true, 0.2);
    CHECK(distance(gradientsOf(family, "float32", false, 0.2), exact).worst < 1e-4);
    if (std::string(family).starts_with("t5-v")) continue;  // these amplify rounding: see executorBfloat16
    const double plain = distance(gradientsOf(family, "bfloat16", true, 0.2), exact).together;
    const double fast = distance(gradientsOf(family, "bfloat16", false, 0.2), exact).together;
    CHECK(fast < 0.1);
    CHECK(fast < 1.2 * plain);
  }
}

TEST(stepsOfAllWeightsArePyTorchs) {
  NeverYields never;
  for (const char* family : kFamilies) {
    const Rows rows = rowsOf(fixture::Answers(family));
    for (const bool isPlain : {true, false}) {
      for (const std::string rule : {"adamw", "adafactor"}) {
        LoadedModel model = trainable(family, "float32", isPlain);
        ModelTrainer trainer(model, rule == "adamw" ? adamw() : adafactor(), never);
        for (int i = 0; i < 5; ++i) trainer.step(rows.inputs, rows.targets, 1, never);
        const bool amplifies = std::string(family).starts_with("t5-v");
        checkSampled(mastersOf(model), std::string(family) + "." + rule, amplifies ? 5e-3 : 1e-4);
      }
    }
  }
}

TEST(microBatchesAddUp) {
  NeverYields never;
  const Rows rows = rowsOf(fixture::Answers("umt5"));
  const auto after = [&](int64_t microBatchSize) {
    LoadedModel model = trainable("umt5");
    ModelTrainerOptions options = adafactor();
    options.microBatchSize = microBatchSize;
    options.dropout = 0.1;
    ModelTrainer trainer(model, options, never);
    const StepFigures step = trainer.step(rows.inputs, rows.targets, 1, never);
    return std::pair(step, mastersOf(model));
  };
  const auto [whole, expected] = after(0);
  const auto [parts, got] = after(3);
  CHECK(std::abs(parts.loss / whole.loss - 1) < 1e-6);
  CHECK(std::abs(parts.gradientNorm / whole.gradientNorm - 1) < 1e-5);
  CHECK(distance(got, expected).worst < 1e-5);
}

// A loaded model's own answers: after a step the copy in use has the masters' numbers, and decoding sees them.
TEST(answersAreOfTheNewestWeights) {
  NeverYields never;
  Pass pass{never};
  for (const std::string dtype : {"float32", "bfloat16"}) {
    const fixture::Answers answers("flan-t5");
    const Rows rows = rowsOf(answers);
    LoadedModel model = trainable("flan-t5", dtype);
    const auto logits = [&](Executor& of) {
      const Encoded encoded = fixture::encode(of, answers, {}, pass);
      auto cache = of.startCache(encoded, pass);
      const at::Tensor first = answers.decoderIds().select(1, 0);
      of.step(first, *cache, pass);
      return at::stack({of.logits(of.step(first, *cache, pass)).to(at::kFloat),
                        of.logits(of.decode(answers.decoderIds(), encoded, pass)).to(at::kFloat).select(1, 0)});
    };
    const at::Tensor before = logits(*model.executor);
    ModelTrainer trainer(model, adafactor(), never);
    for (int i = 0; i < 3; ++i) trainer.step(rows.inputs, rows.targets, 1, never);
    const TempFolder folder;
    folder.write("config.json", model.configJson);
    saveWeights(model, folder.file("model.safetensors"), "float32", never);
    const LoadedModel saved = fixture::load(folder.path(), dtype);
    CHECK_EQ(saved.fingerprint, fingerprintOf(model, never));
    CHECK((logits(*saved.executor) == logits(*model.executor)).all().item<bool>());
    CHECK(!(before == logits(*model.executor)).all().item<bool>());
  }
}

TEST(aResumedTrainingIsTheUninterruptedOne) {
  NeverYields never;
  const TempFolder folder;
  const std::string path = folder.file("run.safetensors");
  const Rows rows = rowsOf(fixture::Answers("mt5"));
  for (const std::string dtype : {"float32", "bfloat16"}) {
    for (ModelTrainerOptions options : {adamw(), adafactor()}) {
      options.dropout = 0.1;
      LoadedModel whole = trainable("mt5", dtype), resumed = trainable("mt5", dtype);
      ModelTrainer trainer(whole, options, never), again(resumed, options, never);
      for (int i = 0; i < 3; ++i) trainer.step(rows.inputs, rows.targets, 1, never);
      trainer.keep();
      trainer.save(path, "{}");
      for (int i = 0; i < 3; ++i) trainer.step(rows.inputs, rows.targets, 0.5, never);
      again.step(rows.inputs, rows.targets, 1, never);  // is forgotten
      CHECK_EQ(again.restore(path), "{}");
      CHECK_EQ(again.stepsDone(), 3);
      for (int i = 0; i < 3; ++i) again.step(rows.inputs, rows.targets, 0.5, never);
      CHECK_EQ(fingerprintOf(whole, never), fingerprintOf(resumed, never));
      trainer.recall();
      again.recall();
      CHECK_EQ(fingerprintOf(whole, never), fingerprintOf(resumed, never));
      options.loss.zLoss = 1e-4;
      ModelTrainer other(resumed, options, never);
      CHECK_THROWS(other.restore(path), "CHECKPOINT_MISMATCH");
      folder.write("broken.safetensors", bytesOf(path).substr(0, 4000));
      CHECK_THROWS(again.restore(folder.file("broken.safetensors")), "CHECKPOINT_INVALID");
    }
  }
}

TEST(whatDivergesIsNotTaken) {
  NeverYields never;
  const Rows rows = rowsOf(fixture::Answers("ul2"));
  LoadedModel model = trainable("ul2");
  ModelTrainer trainer(model, adamw(), never);
  model.masters[0].second.fill_(std::numeric_limits<float>::quiet_NaN());
  const std::string before = fingerprintOf(model, never);
  CHECK(trainer.step(rows.inputs, rows.targets, 1, never).diverged.starts_with("the loss is"));
  CHECK_EQ(trainer.stepsDone(), 0);
  CHECK_EQ(fingerprintOf(model, never), before);
}

TEST(aTrainingsEvaluationIsItsLoss) {
  NeverYields never;
  const fixture::Answers answers("byt5");
  const Rows rows = rowsOf(answers);
  LoadedModel model = trainable("byt5");
  ModelTrainer trainer(model, adamw(), never);
  const TrainLoss loss = trainer.loss(rows.inputs, rows.targets, never);
  CHECK(std::abs(loss.negativeLogProb / static_cast<double>(loss.targetTokens) / answers["plain.loss"].item<double>() -
                 1) < 1e-5);
  CHECK_EQ(trainer.stepsDone(), 0);
}

TEST(aFrozenModelHasNoTrainer) {
  NeverYields never;
  LoadedModel model = fixture::load(fixture::folder("ul2"));
  CHECK_THROWS(ModelTrainer(model, adamw(), never), "MODEL_FROZEN");
}

// Mesh TensorFlow's standard deviations.
TEST(newWeightsAreT5s) {
  NeverYields never;
  const std::string config =
      R"({"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 1, "num_heads": 4, "vocab_size": 200,
          "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false})";
  const LoadedModel model = createModel(config, 5, {"float32", "cpu"}, never);
  const auto weights = mastersOf(model);
  const auto check = [&](const std::string& name, double deviation) {
    const at::Tensor& weight = weights.at(name + ".weight");
    CHECK(std::abs(weight.std().item<double>() / deviation - 1) < 0.1);
    CHECK(std::abs(weight.mean().item<double>()) < 4 * deviation / std::sqrt(static_cast<double>(weight.numel())));
  };
  check("shared", 1);
  check("lm_head", 1);
  const std::string layer = "decoder.block.0.layer.";
  check(layer + "1.EncDecAttention.q", 1 / std::sqrt(64.0 * 16));
  check(layer + "1.EncDecAttention.k", 1 / 8.0);
  check(layer + "0.SelfAttention.o", 1 / std::sqrt(4.0 * 16));
  check(layer + "2.DenseReluDense.wi_1", 1 / 8.0);
  check(layer + "2.DenseReluDense.wo", 1 / std::sqrt(128.0));
  check(layer + "0.SelfAttention.relative_attention_bias", 1 / 8.0);
  CHECK((weights.at("encoder.final_layer_norm.weight") == 1).all().item<bool>());
  CHECK_EQ(createModel(config, 5, {"bfloat16", "cpu"}, never).fingerprint, model.fingerprint);
}
