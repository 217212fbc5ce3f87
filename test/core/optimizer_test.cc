#include "core/train/optimizer.h"

#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "check.h"
#include "core/checkpoint/safetensors.h"
#include "core/train/muon.h"
#include "fixture.h"
#include "hashed.h"

using namespace softprompt;

namespace {

constexpr int64_t kSteps = 25;
constexpr double kTolerance = 1e-6;

// One tensor of the answers that make_optimizer.py works out.
at::Tensor answer(const std::string& name) {
  static const SafetensorsFile file(fixture::folder("train") + "/optimizer.safetensors");
  return file.read(name);
}

// Row i times 2^(i mod 7), as hashed_gradient() of make_optimizer.py.
at::Tensor hashedGradient(int64_t rows, int64_t columns, uint32_t step) {
  at::Tensor values = hashed(rows, columns, step);
  for (int64_t i = 0; i < rows; ++i) values[i].mul_(std::ldexp(1.0, static_cast<int>(i % 7)));
  return values;
}

void checkRecorded(const OptimizerOptions& options, const std::string& name, double tolerance = kTolerance) {
  at::Tensor parameter = answer("start").clone();
  const at::Tensor gradients = answer("gradients"), expected = answer(name);
  const auto optimizer = makeOptimizer(options, parameter.sizes(), kSteps);
  for (int64_t step = 0; step < kSteps; ++step) {
    optimizer->update(parameter, gradients[step], step);
    CHECK_CLOSE(parameter, expected[step], tolerance);
  }
}

OptimizerOptions adamw() {
  OptimizerOptions options;
  options.kind = OptimizerKind::kAdamW;
  options.learningRate = 0.1;
  options.weightDecay = 0.01;
  options.epsilon = 1e-8;
  return options;
}

OptimizerOptions muon() {
  OptimizerOptions options;
  options.kind = OptimizerKind::kMuon;
  options.learningRate = 0.1;
  options.weightDecay = 0.01;
  return options;
}

}  // namespace

TEST(optimizer_adafactor_unfactored) {
  for (const int64_t initialStep : {0, 1100000}) {
    OptimizerOptions options;
    options.initialStep = initialStep;
    checkRecorded(options, "adafactor." + std::to_string(initialStep));
  }
}

TEST(optimizer_adafactor_factored) {
  for (const int64_t initialStep : {0, 1100000}) {
    OptimizerOptions options;
    options.initialStep = initialStep;
    at::Tensor parameter = hashed(130, 128, 1000);
    const auto optimizer = makeOptimizer(options, parameter.sizes(), kSteps);
    for (int64_t step = 0; step < kSteps; ++step) optimizer->update(parameter, hashedGradient(130, 128, step), step);
    CHECK_CLOSE(parameter, answer("factored." + std::to_string(initialStep)), kTolerance);
    CHECK_EQ(optimizer->state().size(), 2u);
  }
}

TEST(optimizer_factors_only_where_both_dimensions_are_large) {
  const OptimizerOptions options;
  CHECK_EQ(makeOptimizer(options, {100, 512}, 1)->state().count("square"), 1u);
  CHECK_EQ(makeOptimizer(options, {130, 127}, 1)->state().count("square"), 1u);
  CHECK_EQ(makeOptimizer(options, {128, 128}, 1)->state().count("rows"), 1u);
}

TEST(optimizer_adamw) {
  checkRecorded(adamw(), "adamw");
}

TEST(optimizer_state_goes_on_to_the_bit) {
  OptimizerOptions factored;
  factored.minDimSizeToFactor = 8;
  for (const OptimizerOptions& options : {OptimizerOptions(), factored, adamw(), muon()}) {
    at::Tensor whole = answer("start").clone();
    const at::Tensor gradients = answer("gradients");
    const auto first = makeOptimizer(options, whole.sizes(), kSteps);
    for (int64_t step = 0; step < 3; ++step) first->update(whole, gradients[step], step);
    at::Tensor resumed = whole.clone();
    const auto second = makeOptimizer(options, whole.sizes(), kSteps);
    second->restore(first->state());
    first->update(whole, gradients[3], 3);
    second->update(resumed, gradients[3], 3);
    CHECK(whole.equal(resumed));
  }
}

TEST(optimizer_refuses_another_state) {
  const auto optimizer = makeOptimizer(OptimizerOptions(), {3, 4}, 1);
  CHECK_THROWS(optimizer->restore({}), "CHECKPOINT_INVALID");
  CHECK_THROWS(optimizer->restore({{"square", at::zeros({3, 5}, at::kFloat)}}), "CHECKPOINT_INVALID");
  CHECK_THROWS(optimizer->restore({{"square", at::zeros({3, 4}, at::kDouble)}}), "CHECKPOINT_INVALID");
}

// Its products are float32, so its answers are a little further off.
TEST(optimizer_muon) {
  checkRecorded(muon(), "muon", 1e-5);
  const at::Tensor gradients = answer("gradients");
  at::Tensor tall = answer("start").t().contiguous();
  const auto optimizer = makeOptimizer(muon(), tall.sizes(), kSteps);
  for (int64_t step = 0; step < kSteps; ++step) optimizer->update(tall, gradients[step].t().contiguous(), step);
  CHECK_CLOSE(tall, answer("muon.tall"), 1e-5);
}

TEST(optimizer_muon_moves_every_direction_alike) {
  const at::Tensor gradient = hashed(40, 64, 3).mul_(1e-3);
  gradient[0].mul_(100);  // one direction far larger than the others
  const at::Tensor values = std::get<1>(at::linalg_svd(orthogonalised(gradient), false));
  CHECK(values.min().item<double>() > 0.3 && values.max().item<double>() < 1.3);
}

TEST(optimizer_muon_of_no_gradient) {
  at::Tensor parameter = hashed(4, 8, 1);
  const at::Tensor before = parameter.clone();
  OptimizerOptions options = muon();
  options.weightDecay = 0;
  makeOptimizer(options, parameter.sizes(), 1)->update(parameter, at::zeros({4, 8}), 0);
  CHECK(parameter.equal(before));
}

TEST(optimizer_schedules) {
  OptimizerOptions options;
  options.learningRate = 2;
  options.warmupSteps = 4;
  const auto rate = [&](Schedule schedule, int64_t step) {
    options.schedule = schedule;
    return learningRateAt(options, step, 12);
  };
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-12; };
  for (const Schedule s : {Schedule::kConstant, Schedule::kLinear, Schedule::kCosine, Schedule::kInverseSqrt}) {
    CHECK(near(rate(s, 0), 0.5) && near(rate(s, 3), 2));  // the warm-up reaches the rate at its last step
  }
  CHECK(near(rate(Schedule::kConstant, 100), 2));
  CHECK(near(rate(Schedule::kLinear, 4), 2) && near(rate(Schedule::kLinear, 8), 1) &&
        near(rate(Schedule::kLinear, 12), 0) && near(rate(Schedule::kLinear, 15), 0));
  CHECK(near(rate(Schedule::kCosine, 4), 2) && near(rate(Schedule::kCosine, 8), 1) &&
        near(rate(Schedule::kCosine, 6), 1 + std::sqrt(0.5)) && near(rate(Schedule::kCosine, 12), 0));
  CHECK(near(rate(Schedule::kInverseSqrt, 15), 1));
}
