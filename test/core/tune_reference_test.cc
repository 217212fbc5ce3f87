// Prompt tuning through real T5s against Hugging Face's gradient and against the reference runs of make_tune.py.
#include "core/train/tuner.h"

#include <cstring>

#include "fixture.h"
#include "hashed.h"
#include "one_run.h"

#include "check.h"  // last: LibTorch's headers have a CHECK of their own

using namespace softprompt;

namespace {

constexpr int64_t kSteps = 12;

// The rows of int64 `ids` (flat) with these lengths.
TokenRows rowsWith(const at::Tensor& ids, const at::Tensor& lengths) {
  TokenRows rows;
  const int64_t* from = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < lengths.numel(); ++i) {
    const int64_t length = lengths.const_data_ptr<int64_t>()[i];
    rows.append(std::vector<int32_t>(from, from + length));
    from += length;
  }
  return rows;
}

// The rows of a padded int64 [B, T] whose mask is true.
TokenRows realRows(const at::Tensor& ids, const at::Tensor& mask) {
  return rowsWith(ids.masked_select(mask), mask.sum(1));
}

class Reference {
 public:
  Reference() : file_(fixture::folder("train") + "/tune.safetensors") {}
  TrainingSet data() const {
    return {rowsWith(file_.read("inputs.ids"), file_.read("inputs.lengths")),
            rowsWith(file_.read("targets.ids"), file_.read("targets.lengths"))};
  }
  at::Tensor operator[](const std::string& name) const { return file_.read(name); }

 private:
  SafetensorsFile file_;
};

TuneOptions paperOptions(int64_t initialStep) {
  TuneOptions options;
  options.steps = kSteps;
  options.batchSize = 5;
  options.shuffle = false;
  options.loss = {Reduction::kSum, 1e-4, 0};
  options.optimizer.initialStep = initialStep;
  return options;
}

// How far `prompt`'s rows 0, 3, 6 ... are from the reference's, as a share of the way the reference has moved.
double strayed(const at::Tensor& prompt, const at::Tensor& start, const at::Tensor& reference) {
  const auto thinned = [](const at::Tensor& rows) { return rows.slice(0, 0, rows.size(0), 3); };
  const double moved = reference.sub(thinned(start)).norm().item<double>();
  return thinned(prompt).sub(reference).norm().item<double>() / moved;
}

void checkCase(const std::string& family, int64_t length, int64_t initialStep) {
  const Reference reference;
  const std::string name = family + "." + std::to_string(length) + "." + std::to_string(initialStep);
  const auto loaded = fixture::load(fixture::folder(family));
  const at::Tensor start = hashed(length, loaded.executor->config().dModel, 7).mul(128);
  OneRun tuner(*loaded.executor, reference.data(), start, paperOptions(initialStep));
  NeverYields never;
  const at::Tensor losses = reference[name + ".losses"];
  for (int64_t step = 0; step < kSteps; ++step) {
    const double expected = losses[step].item<double>();
    CHECK(std::abs(tuner.step(never).loss - expected) < (step == 0 ? 1e-5 : 1e-2) * expected);
    if (step == 0) CHECK(strayed(tuner.prompt(), start, reference[name + ".after1"]) < 1e-5);
  }
  CHECK(strayed(tuner.prompt(), start, reference[name + ".after12"]) < 1e-2);
}

}  // namespace

TEST(tune_reference_t5_v1_0) {
  for (const int64_t initialStep : {0, 1100000}) checkCase("t5-v1.0", 9, initialStep);
}

TEST(tune_reference_t5_v1_1) {
  for (const int64_t length : {9, 130}) {
    for (const int64_t initialStep : {0, 1100000}) checkCase("t5-v1.1", length, initialStep);
  }
}

TEST(tune_reference_factored) {
  for (const int64_t length : {9, 130}) {
    for (const int64_t initialStep : {0, 1100000}) checkCase("train/wide", length, initialStep);
  }
}

TEST(prompt_gradient_equals_hugging_face) {
  for (const std::string family : {"t5-v1.0", "t5-v1.1"}) {
    const auto loaded = fixture::load(fixture::folder(family));
    const fixture::Answers answers(family);
    const TrainingSet data{realRows(answers["input_ids"], answers.mask()),
                           realRows(answers["labels"], answers["labels"].ge(0))};
    NeverYields never;
    const GradientResult result =
        promptGradient(*loaded.executor, data, answers["prompt"], LossOptions{Reduction::kMean, 0, 0}, never);
    const double expected = answers["prompted.loss"].item<double>();
    CHECK(std::abs(result.loss - expected) < 1e-5 * expected);
    const at::Tensor gradient = answers["prompted.prompt_gradient"];
    CHECK(result.gradient.sub(gradient).norm().item<double>() < 1e-4 * gradient.norm().item<double>());
  }
}

TEST(tune_changes_no_bit_of_the_model) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  std::vector<std::pair<std::string, at::Tensor>> before;
  for (const auto& [name, tensor] : loaded.executor->parameters()) before.emplace_back(name, tensor.clone());
  TuneOptions options = paperOptions(0);
  options.dropout = 0.1;
  OneRun tuner(*loaded.executor, Reference().data(), hashed(9, loaded.executor->config().dModel, 7), options);
  NeverYields never;
  for (int i = 0; i < 3; ++i) tuner.step(never);
  const auto after = loaded.executor->parameters();
  CHECK_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    const at::Tensor now = after[i].second.contiguous(), was = before[i].second.contiguous();
    CHECK(std::memcmp(now.const_data_ptr(), was.const_data_ptr(), was.nbytes()) == 0);
    CHECK(!now.requires_grad() && !now.grad().defined());
  }
}

TEST(tune_says_when_it_diverges) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  TuneOptions options = paperOptions(0);
  options.optimizer.learningRate = 1e39;
  OneRun tuner(*loaded.executor, Reference().data(), hashed(9, loaded.executor->config().dModel, 7), options);
  NeverYields never;
  const std::string message = tuner.step(never).diverged;
  CHECK(message.starts_with("the prompt"));
  CHECK(message.find("step 1") != std::string::npos && message.find("learning rate a tenth") != std::string::npos);
  CHECK_EQ(tuner.stepsDone(), 0);
  CHECK(tuner.prompt().isfinite().all().item<bool>());
}

TEST(tune_reruns_to_the_bit) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  const auto run = [&] {
    TuneOptions options = paperOptions(0);
    options.shuffle = true;
    options.batchSize = 3;
    options.dropout = 0.1;
    OneRun tuner(*loaded.executor, Reference().data(), hashed(9, loaded.executor->config().dModel, 7), options);
    NeverYields never;
    for (int i = 0; i < 5; ++i) tuner.step(never);
    return tuner.prompt();
  };
  CHECK(run().equal(run()));
}
