// Several prompts in one pass, and batches that go through the model in parts: each prompt is what it would have been
// alone and at once.
#include <ATen/ops/cat.h>

#include <algorithm>

#include "core/train/objective.h"
#include "core/train/tuner.h"
#include "fixture.h"
#include "hashed.h"
#include "one_run.h"
#include "temp_folder.h"
#include "toy_model.h"

#include <c10/util/Exception.h>

#include "check.h"  // last: LibTorch's headers have a CHECK of their own

using namespace softprompt;

namespace {

TrainingSet someData() {
  return {rowsOf({{3, 4, 5, 1}, {6, 1}, {7, 8, 9, 10, 11, 12, 13, 14, 15, 1}, {12, 3, 1}, {40, 41, 1}}),
          rowsOf({{2, 1}, {5, 6, 30, 31, 32, 1}, {9, 1}, {2, 1}, {4, 8, 1}})};
}

// Prompts as large as trained ones, so that rounding stays small; lengths, seeds and rates of their own.
std::vector<RunStart> someRuns(int64_t width, double scale = 128) {
  return {{hashed(9, width, 1).mul(scale), 0, 0.3},
          {hashed(4, width, 2).mul(scale), 5, 1.0},
          {hashed(17, width, 3).mul(scale), 6, 0.1}};
}

TuneOptions someOptions(Reduction reduction, double dropout) {
  TuneOptions options;
  options.steps = 10;
  options.batchSize = 4;
  options.dropout = dropout;
  options.seed = 3;
  options.loss = {reduction, 1e-4, 0};
  return options;
}

std::vector<ActiveRun> all(size_t count) {
  std::vector<ActiveRun> active(count);
  for (size_t run = 0; run < count; ++run) active[run].run = static_cast<int64_t>(run);
  return active;
}

// How far `prompt` is from `expected`, as a share of the way from `start`.
double strayed(const at::Tensor& prompt, const at::Tensor& start, const at::Tensor& expected) {
  return prompt.sub(expected).norm().item<double>() / expected.sub(start).norm().item<double>();
}

void checkRunsAgainstAlone(Executor& model, const TuneOptions& options) {
  NeverYields never;
  const std::vector<RunStart> runs = someRuns(model.config().dModel);
  Tuner together(model, someData(), runs, options);
  const std::vector<StepResult> results = together.step(all(runs.size()), never);
  CHECK_EQ(results.size(), runs.size());
  for (size_t run = 0; run < runs.size(); ++run) {
    Tuner alone(model, someData(), {runs[run]}, options);
    const StepResult expected = alone.step({{0}}, never).at(0);
    CHECK_EQ(results[run].run, static_cast<int64_t>(run));
    CHECK_EQ(results[run].learningRate, runs[run].learningRate);
    CHECK(std::abs(results[run].loss - expected.loss) < 1e-5 * expected.loss);
    CHECK(std::abs(results[run].gradientNorm - expected.gradientNorm) < 1e-4 * expected.gradientNorm);
    CHECK(strayed(together.prompt(run), runs[run].prompt, alone.prompt(0)) < 1e-5);
  }
}

void checkPartsAgainstWhole(Executor& model, const ObjectiveOptions& options) {
  NeverYields never;
  const TrainingSet data = someData();
  const std::vector<RunStart> runs = someRuns(model.config().dModel);
  std::vector<PromptRows> parts;
  for (const RunStart& run : runs) parts.push_back({run.prompt, {4, 0, 2, 1}, run.seed});
  const std::vector<Objective> whole = promptObjectives(model, data, parts, options, never);
  for (const int64_t rows : {1, 5, 7}) {
    ObjectiveOptions inParts = options;
    inParts.rowsAtOnce = rows;
    const std::vector<Objective> sums = promptObjectives(model, data, parts, inParts, never);
    for (size_t i = 0; i < parts.size(); ++i) {
      CHECK(std::abs(sums[i].loss - whole[i].loss) < 1e-5 * whole[i].loss);
      CHECK(std::abs(sums[i].negativeLogProb - whole[i].negativeLogProb) < 1e-5 * whole[i].negativeLogProb);
      CHECK_EQ(sums[i].targetTokens, whole[i].targetTokens);
      const double norm = whole[i].gradient.norm().item<double>();
      CHECK(sums[i].gradient.sub(whole[i].gradient).norm().item<double>() < 1e-4 * norm);
    }
  }
}

// Has memory for so many rows.
class SmallMemory final : public Executor {
 public:
  SmallMemory(Executor& model, int64_t rows) : model_(model), rows_(rows) {}
  const T5Config& config() const override { return model_.config(); }
  at::ScalarType dtype() const override { return model_.dtype(); }
  at::Device device() const override { return model_.device(); }
  at::Tensor embed(const at::Tensor& ids) override { return model_.embed(ids); }
  Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) override {
    if (embeds.size(0) > rows_) TORCH_CHECK_WITH(OutOfMemoryError, false, "out of memory");
    return model_.encode(embeds, mask, pass);
  }
  at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) override {
    return model_.decode(ids, encoded, pass);
  }
  at::Tensor logits(const at::Tensor& hidden) override { return model_.logits(hidden); }
  std::unique_ptr<DecoderCache> startCache(const Encoded&, Pass&) override { return nullptr; }
  at::Tensor step(const at::Tensor&, DecoderCache&, Pass&) override { return {}; }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return model_.parameters(); }

 private:
  Executor& model_;
  int64_t rows_;
};

}  // namespace

TEST(runs_in_one_pass_are_what_they_are_alone) {
  const auto fast = fixture::load(fixture::folder("t5-v1.1")), plain = fixture::loadPlain(fixture::folder("t5-v1.1"));
  for (Executor* model : {fast.executor.get(), plain.executor.get()}) {
    for (const Reduction reduction : {Reduction::kSum, Reduction::kMean}) {
      for (const double dropout : {0.0, 0.1}) checkRunsAgainstAlone(*model, someOptions(reduction, dropout));
    }
  }
}

TEST(batch_in_parts_sums_up_to_the_whole) {
  const auto fast = fixture::load(fixture::folder("t5-v1.1")), plain = fixture::loadPlain(fixture::folder("t5-v1.1"));
  for (Executor* model : {fast.executor.get(), plain.executor.get()}) {
    for (const Reduction reduction : {Reduction::kSum, Reduction::kMean}) {
      for (const double dropout : {0.0, 0.1}) {
        checkPartsAgainstWhole(*model, {.loss = {reduction, 0.01, 0.1}, .dropout = dropout, .step = 2});
      }
    }
  }
}

TEST(runs_that_leave_do_not_touch_the_others) {
  ToyModel model(6, 50);
  NeverYields never;
  const TuneOptions options = someOptions(Reduction::kMean, 0.1);
  const std::vector<RunStart> runs = someRuns(6, 1);
  Tuner together(model, someData(), runs, options);
  for (int i = 0; i < 3; ++i) together.step(all(3), never);
  const at::Tensor left = together.prompt(1);
  for (int i = 0; i < 4; ++i) together.step({{0}, {2}}, never);
  CHECK(together.prompt(1).equal(left));
  CHECK_EQ(together.stepsDone(), 7);
  for (const size_t run : {0, 2}) {
    Tuner alone(model, someData(), {runs[run]}, options);
    for (int i = 0; i < 7; ++i) alone.step({{0}}, never);
    CHECK_CLOSE(together.prompt(run), alone.prompt(0), 1e-4);
  }
}

TEST(runs_restored_are_never_interrupted) {
  ToyModel model(6, 50);
  NeverYields never;
  const TempFolder folder;
  const std::string path = folder.file("runs.ckpt");
  TuneOptions options = someOptions(Reduction::kSum, 0.1);
  options.optimizer.averageDecay = 0.9;
  options.microBatchSize = 3;
  const std::vector<RunStart> runs = someRuns(6, 1);
  Tuner whole(model, someData(), runs, options), first(model, someData(), runs, options),
      second(model, someData(), runs, options);
  for (int i = 0; i < 8; ++i) whole.step(i < 2 ? all(3) : std::vector<ActiveRun>{{0, 0.5}, {2}}, never);
  for (int i = 0; i < 4; ++i) first.step(i < 2 ? all(3) : std::vector<ActiveRun>{{0, 0.5}, {2}}, never);
  first.save(path, "{}");
  CHECK_EQ(second.restore(path), "{}");
  for (int i = 0; i < 4; ++i) second.step({{0, 0.5}, {2}}, never);
  for (const int64_t run : {0, 1, 2}) CHECK(second.prompt(run).equal(whole.prompt(run)));

  const auto refused = [&](std::vector<RunStart> others, TuneOptions changed, const std::string& named) {
    Tuner other(model, someData(), others, changed);
    try {
      other.restore(path);
      CHECK(false);
    } catch (const Error& error) {
      CHECK_EQ(error.code(), "CHECKPOINT_MISMATCH");
      CHECK(std::string(error.what()).find(named) != std::string::npos);
    }
    CHECK_EQ(other.stepsDone(), 0);
  };
  std::vector<RunStart> reseeded = runs, slower = runs;
  reseeded[1].seed = 7;
  slower[2].learningRate = 0.2;
  TuneOptions larger = options;
  larger.microBatchSize = 4;
  refused(reseeded, options, "runs[1].promptSeed is 7, was 5");
  refused(slower, options, "runs[2].optimizer.learningRate is 0.2, was 0.1");
  refused({runs[0], runs[1]}, options, "runs[2].prompt is not set, was 17 x 6");
  refused(runs, larger, "microBatchSize is 4, was 3");
}

TEST(run_that_diverges_stays_as_it_is_and_the_others_go_on) {
  ToyModel model(6, 50);
  NeverYields never;
  std::vector<RunStart> runs = someRuns(6, 1);
  runs[1].learningRate = 1e39;
  Tuner together(model, someData(), runs, someOptions(Reduction::kSum, 0));
  const std::vector<StepResult> results = together.step(all(3), never);
  CHECK(results[0].diverged.empty() && results[2].diverged.empty());
  CHECK(results[1].diverged.starts_with("the prompt's largest value"));
  CHECK(together.prompt(1).equal(runs[1].prompt));
  CHECK_EQ(together.stepsDone(), 1);
  CHECK(!together.step({{1}}, never)[0].diverged.empty());
  CHECK_EQ(together.stepsDone(), 1);  // a step that no run took is not one
  CHECK(together.step({{1, 1e-39}}, never)[0].diverged.empty());
  CHECK_EQ(together.stepsDone(), 2);
}

TEST(run_reset_begins_anew) {
  ToyModel model(6, 50);
  NeverYields never;
  const TuneOptions options = someOptions(Reduction::kSum, 0);
  const std::vector<RunStart> runs = someRuns(6, 1);
  Tuner tuner(model, someData(), {runs[0]}, options), fresh(model, someData(), {runs[0]}, options);
  tuner.step({{0}}, never);
  fresh.step({{0}}, never);
  const at::Tensor then = tuner.prompt(0);
  for (int i = 0; i < 2; ++i) {
    tuner.reset(0, runs[0].prompt);
    CHECK(tuner.prompt(0).equal(runs[0].prompt));
    tuner.step({{0}}, never);
  }
  CHECK(!tuner.prompt(0).equal(then));  // another batch
  CHECK_EQ(tuner.stepsDone(), 3);
}

// A lower rate is the shared part's too.
TEST(shared_part_is_reset_with_the_runs) {
  ToyModel model(6, 50);
  NeverYields never;
  TuneOptions options = someOptions(Reduction::kSum, 0);
  options.optimizer.kind = OptimizerKind::kAdamW;
  const std::vector<RunStart> runs = someRuns(6, 1);
  TrainingSet data = someData();
  data.runOfRow = {0, 1, 1, 0, 1};
  options.batchSize = 5;
  Tuner tuner(model, data, {runs[0], runs[0]}, options, runs[1]),
      fresh(model, data, {runs[0], runs[0]}, options, runs[1]);
  const at::Tensor first = tuner.prompt(0);
  for (int i = 0; i < 3; ++i) tuner.step(all(2), never);
  CHECK(!tuner.prompt(0).slice(0, 0, 4).equal(first.slice(0, 0, 4)));
  for (const int64_t run : {0, 1}) tuner.reset(run, first);
  for (const int64_t run : {0, 1}) CHECK(tuner.prompt(run).equal(first));

  const std::vector<ActiveRun> slower{{0, 0.1}, {1, 0.1}};
  tuner.step(slower, never);
  fresh.step(all(2), never);
  const at::Tensor small = tuner.prompt(0).sub(first).abs(), large = fresh.prompt(0).sub(first).abs();
  CHECK(small.max().item<float>() < 0.2 * large.max().item<float>());
  CHECK(small.slice(0, 0, 4).max().item<float>() > 0);
}

TEST(batch_that_does_not_fit_the_memory_goes_through_in_parts) {
  ToyModel model(6, 50);
  NeverYields never;
  TuneOptions options = someOptions(Reduction::kMean, 0.1);
  const std::vector<RunStart> runs = someRuns(6, 1);
  Tuner whole(model, someData(), runs, options);
  SmallMemory small(model, 5), none(model, 0);
  Tuner parts(small, someData(), runs, options);
  for (int i = 0; i < 3; ++i) {
    whole.step(all(3), never);
    parts.step(all(3), never);
  }
  for (const int64_t run : {0, 1, 2}) CHECK_CLOSE(parts.prompt(run), whole.prompt(run), 1e-4);
  Tuner hopeless(none, someData(), runs, options);
  CHECK_THROWS(hopeless.step(all(3), never), "TUNE_MEMORY");
  options.microBatchSize = 6;  // as the user said, and no other
  Tuner asked(small, someData(), runs, options);
  CHECK_THROWS(asked.step(all(3), never), "TUNE_MEMORY");
}

TEST(tasks_in_one_batch_learn_from_their_own_rows) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  Executor& model = *loaded.executor;
  NeverYields never;
  for (const Reduction reduction : {Reduction::kSum, Reduction::kMean}) {
    TuneOptions options = someOptions(reduction, 0.1);
    options.batchSize = 5;
    options.shuffle = false;
    const std::vector<RunStart> runs = someRuns(model.config().dModel);
    TrainingSet data = someData();
    data.runOfRow = {0, 1, 1, 0, 1};
    Tuner together(model, data, {runs[0], runs[1], runs[2]}, options);
    const std::vector<StepResult> results = together.step(all(3), never);
    CHECK_EQ(results[0].examples, 2);
    CHECK_EQ(results[1].examples, 3);
    CHECK_EQ(results[2].examples, 0);
    CHECK(together.prompt(2).equal(runs[2].prompt));
    CHECK_EQ(together.stepsDone(), 1);
    TrainingSet own{rowsOf({{3, 4, 5, 1}, {12, 3, 1}}), rowsOf({{2, 1}, {2, 1}}), {}};
    Tuner alone(model, own, {runs[0]}, options);
    CHECK(std::abs(alone.step({{0}}, never).at(0).loss - results[0].loss) < 1e-5 * results[0].loss);
    CHECK(strayed(together.prompt(0), runs[0].prompt, alone.prompt(0)) < 1e-5);
    // A batch without a row of any active run is a step that nobody takes.
    CHECK_EQ(together.step({{2}}, never).at(0).examples, 0);
    CHECK_EQ(together.stepsDone(), 2);
  }
}

// [shared; own] learns as one prompt does: AdamW's rule looks at each number alone.
TEST(shared_part_learns_from_all_rows) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  Executor& model = *loaded.executor;
  NeverYields never;
  const TempFolder folder;
  TuneOptions options = someOptions(Reduction::kSum, 0);
  options.batchSize = 5;
  options.optimizer.kind = OptimizerKind::kAdamW;
  options.optimizer.epsilon = 1e-4;
  const std::vector<RunStart> runs = someRuns(model.config().dModel);
  const RunStart shared{runs[1].prompt, 0, 0.3}, own{runs[0].prompt, 0, 0.3};
  Tuner tuner(model, someData(), {own}, options, shared);
  Tuner whole(model, someData(), {{at::cat({shared.prompt, own.prompt}), 0, 0.3}}, options);
  tuner.step({{0}}, never);
  whole.step({{0}}, never);
  CHECK(strayed(tuner.prompt(0), at::cat({shared.prompt, own.prompt}), whole.prompt(0)) < 1e-5);

  // Two tasks: the shared gradient is the sum of theirs.
  TrainingSet data = someData();
  data.runOfRow = {0, 1, 1, 0, 1};
  Tuner tasks(model, data, {own, own}, options, shared);
  tasks.step(all(2), never);
  const at::Tensor part = tasks.prompt(0).slice(0, 0, 4);
  CHECK(part.equal(tasks.prompt(1).slice(0, 0, 4)));
  CHECK(strayed(part, shared.prompt, whole.prompt(0).slice(0, 0, 4)) < 1e-5);
  CHECK(!tasks.prompt(0).slice(0, 4).equal(tasks.prompt(1).slice(0, 4)));

  tasks.save(folder.file("shared.ckpt"), "{}");
  Tuner resumed(model, data, {own, own}, options, shared);
  resumed.restore(folder.file("shared.ckpt"));
  for (Tuner* one : {&tasks, &resumed}) one->step(all(2), never);
  for (const int64_t run : {0, 1}) CHECK(resumed.prompt(run).equal(tasks.prompt(run)));
  Tuner other(model, data, {own, own}, options);
  CHECK_THROWS(other.restore(folder.file("shared.ckpt")), "CHECKPOINT_MISMATCH");
}
