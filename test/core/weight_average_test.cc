// The moving average of weights, what goes back after a divergence, and both from a checkpoint on.
#include "core/train/weight_average.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <stdexcept>

#include "check.h"
#include "core/t5/trainable_model.h"
#include "core/train/model_trainer.h"
#include "fixture.h"
#include "temp_folder.h"
#include "toy_model.h"

using namespace softprompt;

namespace {

constexpr double kDecay = 0.9;

LoadedModel trainable(const std::string& dtype) {
  NeverYields never;
  return trainableCopy(fixture::load(fixture::folder("mt5")), {dtype, "cpu"}, never);
}

ModelTrainerOptions averaging(double decay) {
  ModelTrainerOptions options;
  options.steps = 100;
  options.rule.optimizer.kind = OptimizerKind::kAdamW;
  options.rule.optimizer.learningRate = 0.01;
  options.rule.optimizer.averageDecay = decay;
  return options;
}

void take(ModelTrainer& trainer, int steps) {
  NeverYields never;
  for (int i = 0; i < steps; ++i) trainer.step(rowsOf({{5, 6, 1}, {7, 1}}), rowsOf({{8, 1}, {9, 10, 1}}), 1, never);
}

bool areEqual(const NamedTensors& a, const NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return (one.second == other.second).all().template item<bool>();
  });
}

bool refuses(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::logic_error&) {
    return true;
  }
  return false;
}

}  // namespace

TEST(aWeightAverageForgetsItsStart) {
  const NamedTensors weights{{"a", at::full({2, 3}, 1.0)}};
  WeightAverage average(kDecay, weights);
  double expected = 1;
  for (int step = 0; step < 120; ++step) {
    const double value = step % 7;
    weights[0].second.fill_(value);
    average.add(step);
    const double past = std::min(kDecay, (1.0 + step) / (10.0 + step));
    expected = past * expected + (1 - past) * value;
    CHECK_CLOSE(average.tensors()[0].second, at::full({2, 3}, expected), 1e-5);
  }
  const at::Tensor last = weights[0].second.clone();
  average.exchange();
  CHECK_CLOSE(weights[0].second, at::full({2, 3}, expected), 1e-5);
  CHECK(refuses([&] { average.requireOwn(); }));
  average.exchange();
  CHECK((weights[0].second == last).all().item<bool>());
  average.restart();
  CHECK((average.tensors()[0].second == last).all().item<bool>());
}

TEST(anAverageChangesNothingOfTheTraining) {
  NeverYields never;
  for (const std::string dtype : {"float32", "bfloat16"}) {
    LoadedModel plain = trainable(dtype), averaged = trainable(dtype);
    ModelTrainer one(plain, averaging(0), never), other(averaged, averaging(kDecay), never);
    WeightAverage expected(kDecay, plain.masters);
    for (int64_t step = 0; step < 4; ++step) {
      take(one, 1);
      expected.add(step);
      take(other, 1);
      other.exchange();
      CHECK(areEqual(averaged.masters, expected.tensors()));
      CHECK(refuses([&] { take(other, 1); }));
      other.exchange();
      CHECK(areEqual(averaged.masters, plain.masters));
    }
    one.exchange();  // has none
    CHECK_EQ(fingerprintOf(plain, never), fingerprintOf(averaged, never));
  }
}

TEST(anAverageGoesOnFromACheckpoint) {
  NeverYields never;
  const TempFolder folder;
  const std::string path = folder.file("run.safetensors");
  LoadedModel whole = trainable("bfloat16"), resumed = trainable("bfloat16");
  ModelTrainer trainer(whole, averaging(kDecay), never), again(resumed, averaging(kDecay), never);
  take(trainer, 3);
  trainer.save(path, "{}");
  take(trainer, 3);
  again.restore(path);
  take(again, 3);
  CHECK(areEqual(resumed.masters, whole.masters));
  trainer.exchange();
  CHECK(refuses([&] { trainer.save(path, "{}"); }));
  again.exchange();
  CHECK(areEqual(resumed.masters, whole.masters));
  CHECK_EQ(fingerprintOf(whole, never), fingerprintOf(resumed, never));
}

TEST(whatIsSetBackGoesOnAsIfNew) {
  NeverYields never;
  LoadedModel model = trainable("float32"), fresh = trainable("float32");
  ModelTrainer trainer(model, averaging(kDecay), never), other(fresh, averaging(kDecay), never);
  trainer.keep();
  take(trainer, 3);
  trainer.setBack();
  CHECK(areEqual(model.masters, fresh.masters));
  CHECK_EQ(trainer.stepsDone(), 3);
  const TempFolder folder;
  trainer.save(folder.file("back"), "{}");
  const SafetensorsFile back(folder.file("back"));
  for (const auto& info : back.tensors()) {
    if (info.name.starts_with("optimizer.")) CHECK_EQ(back.read(info.name).abs().max().item<double>(), 0);
  }
  trainer.exchange();
  CHECK(areEqual(model.masters, fresh.masters));
}
