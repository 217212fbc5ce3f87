#include "core/train/tuner.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "check.h"
#include "core/platform/file.h"
#include "core/train/learned_prompt.h"
#include "fixture.h"
#include "one_run.h"
#include "toy_model.h"

using namespace softprompt;

namespace {

TrainingSet someData() {
  return {rowsOf({{3, 4, 5}, {6}, {7, 8, 9, 10, 11}, {12, 3}, {}}),
          rowsOf({{2, 1}, {5, 6, 1}, {9, 1}, {2, 1}, {4, 1}})};
}

at::Tensor somePrompt() {
  return CounterRandom(9, 0).uniformTensor({4, 6}, -0.5, 0.5);
}

TuneOptions someOptions() {
  TuneOptions options;
  options.steps = 10;
  options.batchSize = 2;
  options.dropout = 0.1;
  options.optimizer.learningRate = 0.05;
  options.optimizer.averageDecay = 0.9;
  options.fingerprint = "f00d";
  return options;
}

OneRun someTuner(ToyModel& model, const TuneOptions& options = someOptions()) {
  return OneRun(model, someData(), somePrompt(), options);
}

std::string messageOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// A path of this test's own, removed at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("softprompt-" + std::to_string(softprompt::platform::processId()) + "-" + name)) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST(tuner_learns) {
  ToyModel model;
  TuneOptions options = someOptions();
  options.batchSize = 5;
  options.dropout = 0;
  OneRun tuner = someTuner(model, options);
  NeverYields never;
  const StepResult first = tuner.step(never);
  StepResult last;
  while (tuner.stepsDone() < 150) last = tuner.step(never);
  CHECK_EQ(first.step, 1);
  CHECK_EQ(last.step, 150);
  CHECK_EQ(last.examples, 5);
  CHECK(last.loss < 0.9 * first.loss);
}

TEST(tuner_reports_what_a_step_saw) {
  ToyModel model;
  TuneOptions options = someOptions();
  options.batchSize = 5;
  options.shuffle = false;
  OneRun tuner = someTuner(model, options);
  NeverYields never;
  const StepResult result = tuner.step(never);
  CHECK_EQ(result.inputTokens, 11);
  CHECK_EQ(result.targetTokens, 11);
  CHECK_EQ(result.learningRate, 0.05);
  CHECK(result.gradientNorm > 0);
}

TEST(tuner_loss_is_a_mean_whatever_the_reduction) {
  ToyModel model;
  TuneOptions options = someOptions();
  NeverYields never;
  options.loss = {Reduction::kSum, 0.1, 0.1};
  const double sum = someTuner(model, options).step(never).loss;
  options.loss = {Reduction::kMean, 0, 0};
  CHECK_EQ(sum, someTuner(model, options).step(never).loss);
}

// Two steps of AdamW with one moment only, by hand: the second's direction is that of the scaled gradients' sum.
TEST(tuner_scales_gradients_that_are_too_large) {
  OptimizerOptions options;
  options.kind = OptimizerKind::kAdamW;
  options.weightDecay = 0;
  options.beta1 = 0.5;
  options.beta2 = 0;
  options.epsilon = 1;
  options.learningRate = 1;
  options.maxGradientNorm = 2;
  LearnedPrompt clipped("", at::zeros({2, 3}), 0, options, 10);
  Objective objective;
  objective.targetTokens = 1;
  objective.gradient = at::full({2, 3}, 10.0f);
  const StepResult result = clipped.take(objective, 0, 1);
  const double norm = std::sqrt(6.0) * 10, each = 10 * 2 / norm;
  CHECK(std::abs(result.gradientNorm - norm) < 1e-4);  // told as it was
  CHECK_CLOSE(clipped.prompt(), at::full({2, 3}, -each / (each + 1)), 1e-5);
  objective.gradient = at::full({2, 3}, 0.1f);  // small enough
  clipped.take(objective, 1, 1);
  const double mean = (0.25 * each + 0.5 * 0.1) / 0.75;
  CHECK_CLOSE(clipped.prompt(), at::full({2, 3}, -each / (each + 1) - mean / 1.1), 1e-5);
}

TEST(tuner_changes_nothing_but_the_prompt) {
  ToyModel model;
  std::vector<at::Tensor> before;
  for (const auto& [_, tensor] : model.parameters()) before.push_back(tensor.clone());
  OneRun tuner = someTuner(model);
  NeverYields never;
  for (int i = 0; i < 5; ++i) tuner.step(never);
  CHECK(!tuner.prompt().equal(somePrompt()));
  for (size_t i = 0; i < before.size(); ++i) {
    const at::Tensor now = model.parameters()[i].second;
    CHECK(now.equal(before[i]) && !now.requires_grad() && !now.grad().defined());
  }
}

TEST(tuner_reruns_to_the_bit_with_other_work_between_layers) {
  ToyModel model;
  OneRun alone = someTuner(model), busy = someTuner(model);
  OneRun other(model, someData(), somePrompt(), TuneOptions());
  NeverYields never;
  for (int i = 0; i < 8; ++i) {
    ActsAt between(i % 2, [&] { other.step(never); });
    CHECK_EQ(alone.step(never).loss, busy.step(between).loss);
  }
  CHECK_EQ(other.stepsDone(), 8);
  CHECK(alone.prompt().equal(busy.prompt()));
  TuneOptions reseeded = someOptions();
  reseeded.seed = 1;
  OneRun different = someTuner(model, reseeded);
  for (int i = 0; i < 8; ++i) different.step(never);
  CHECK(!alone.prompt().equal(different.prompt()));
}

TEST(tuner_cancelled_keeps_the_state_of_the_step_before) {
  ToyModel model;
  OneRun tuner = someTuner(model), untouched = someTuner(model);
  NeverYields never;
  tuner.step(never);
  untouched.step(never);
  for (const int64_t at : {0, 1}) {
    ActsAt cancels(at, [] { throw Cancelled(); });
    bool cancelled = false;
    try {
      tuner.step(cancels);
    } catch (const Cancelled&) {
      cancelled = true;
    }
    CHECK(cancelled);
    CHECK_EQ(tuner.stepsDone(), 1);
  }
  tuner.step(never);
  untouched.step(never);
  CHECK(tuner.prompt().equal(untouched.prompt()));
}

TEST(tuner_restored_is_never_interrupted) {
  ToyModel model;
  const TemporaryFile file("resume.safetensors");
  OptimizerOptions adamw, muon;
  adamw.kind = OptimizerKind::kAdamW;
  adamw.schedule = Schedule::kCosine;
  muon.kind = OptimizerKind::kMuon;
  for (const OptimizerOptions& optimizer : {someOptions().optimizer, adamw, muon}) {
    TuneOptions options = someOptions();
    options.optimizer = optimizer;
    OneRun whole = someTuner(model, options), first = someTuner(model, options), second = someTuner(model, options);
    NeverYields never;
    for (int i = 0; i < 9; ++i) whole.step(never);
    for (int i = 0; i < 4; ++i) first.step(never);
    first.save(file.path(), R"({"best": 0.5, "name": "ü"})");
    CHECK_EQ(second.restore(file.path()), R"({"best": 0.5, "name": "ü"})");
    CHECK_EQ(second.stepsDone(), 4);
    CHECK(second.prompt().equal(first.prompt()));
    for (int i = 0; i < 5; ++i) second.step(never);
    CHECK(second.prompt().equal(whole.prompt()));
  }
}

TEST(tuner_refuses_another_runs_checkpoint) {
  ToyModel model;
  const TemporaryFile file("mismatch.safetensors");
  NeverYields never;
  OneRun saved = someTuner(model);
  saved.step(never);
  saved.save(file.path(), "{}");

  const auto refused = [&](const std::function<void(TuneOptions&)>& change, const std::string& named) {
    TuneOptions options = someOptions();
    change(options);
    OneRun tuner = someTuner(model, options);
    CHECK_THROWS(tuner.restore(file.path()), "CHECKPOINT_MISMATCH");
    CHECK(messageOf([&] { tuner.restore(file.path()); }).find(named) != std::string::npos);
    CHECK_EQ(tuner.stepsDone(), 0);
    CHECK(tuner.prompt().equal(somePrompt()));
  };
  refused([](TuneOptions& o) { o.batchSize = 3; }, "batchSize is 3, was 2");
  refused([](TuneOptions& o) { o.seed = 1; }, "seed is 1, was 0");
  refused([](TuneOptions& o) { o.fingerprint = "beef"; }, "model is beef, was f00d");
  refused([](TuneOptions& o) { o.optimizer.learningRate = 0.3; }, "optimizer.learningRate is 0.3, was 0.05");
  refused([](TuneOptions& o) { o.optimizer.kind = OptimizerKind::kAdamW; }, "optimizer.name is adamw, was adafactor");
  refused([](TuneOptions& o) { o.optimizer.schedule = Schedule::kLinear; }, "steps is 10, was not set");

  TrainingSet otherData = someData();
  otherData.inputs.ids[0] = 4;
  OneRun otherSet(model, otherData, somePrompt(), someOptions());
  CHECK_THROWS(otherSet.restore(file.path()), "CHECKPOINT_MISMATCH");
  OneRun otherLength(model, someData(), somePrompt().slice(0, 0, 3), someOptions());
  CHECK_THROWS(otherLength.restore(file.path()), "CHECKPOINT_MISMATCH");

  TuneOptions longer = someOptions();
  longer.steps = 20;  // a constant rate does not depend on it
  OneRun goesOn = someTuner(model, longer);
  goesOn.restore(file.path());
  CHECK_EQ(goesOn.stepsDone(), 1);
}

TEST(tuner_refuses_a_broken_checkpoint) {
  ToyModel model;
  const TemporaryFile file("broken.safetensors");
  OneRun tuner = someTuner(model);
  tuner.save(file.path(), "{}");
  std::filesystem::resize_file(file.path(), std::filesystem::file_size(file.path()) - 4);
  CHECK_THROWS(tuner.restore(file.path()), "CHECKPOINT_INVALID");
  CHECK_THROWS(tuner.restore(fixture::folder("train") + "/optimizer.safetensors"), "CHECKPOINT_INVALID");
}

TEST(tuner_says_when_it_diverges) {
  ToyModel model;
  TuneOptions options = someOptions();
  options.loss.zLoss = 1e38;  // overflows float32
  OneRun tuner = someTuner(model, options);
  NeverYields never;
  const std::string message = tuner.step(never).diverged;
  CHECK(message.find("step 1") != std::string::npos);
  CHECK(message.find("learning rate") != std::string::npos);
  CHECK_EQ(tuner.stepsDone(), 0);
  CHECK(tuner.prompt().equal(somePrompt()));
}

TEST(tuner_checks_its_input) {
  ToyModel model;
  const auto make = [&](TrainingSet data, at::Tensor prompt = somePrompt()) {
    OneRun tuner(model, std::move(data), prompt, someOptions());
  };
  CHECK_THROWS((make({}), 0), "DATA_EMPTY");
  CHECK_THROWS((make({rowsOf({{3}, {4}}), rowsOf({{3}, {}})}), 0), "DATA_TARGET_EMPTY");
  CHECK(messageOf([&] { make({rowsOf({{3}, {4}}), rowsOf({{3}, {}})}); }).find("row 1") != std::string::npos);
  CHECK_THROWS((make({rowsOf({{3}, {20}}), rowsOf({{3}, {3}})}), 0), "TOKEN_OUT_OF_RANGE");
  CHECK_THROWS((make({rowsOf({{3}, {4}}), rowsOf({{3}, {-1}})}), 0), "TOKEN_OUT_OF_RANGE");
  CHECK_THROWS((make(someData(), at::full({2, 5}, 1.0f)), 0), "PROMPT_WIDTH");
  CHECK_THROWS((make(someData(), at::full({2, 6}, std::numeric_limits<float>::quiet_NaN())), 0), "PROMPT_NOT_FINITE");
}

TEST(prompt_gradient_equals_finite_differences) {
  ToyModel model;
  NeverYields never;
  const LossOptions loss{Reduction::kMean, 0.01, 0};
  const at::Tensor prompt = somePrompt();
  const GradientResult result = promptGradient(model, someData(), prompt, loss, never);
  const double h = 1e-2;
  for (const int64_t i : {0, 5, 13, 23}) {
    at::Tensor up = prompt.clone(), down = prompt.clone();
    up.view({-1})[i].add_(h);
    down.view({-1})[i].sub_(h);
    const double slope = (promptGradient(model, someData(), up, loss, never).loss -
                          promptGradient(model, someData(), down, loss, never).loss) /
                         (2 * h);
    CHECK(std::abs(slope - result.gradient.view({-1})[i].item<double>()) < 2e-4);
  }
}
