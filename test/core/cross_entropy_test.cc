#include "core/train/cross_entropy.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "toy_model.h"

using namespace softprompt;

namespace {

struct Plain {
  double loss = 0;
  at::Tensor gradient;
};

// The formula as it stands, in float64 with autograd.
Plain plain(ToyModel& model, const at::Tensor& hidden, const at::Tensor& targets, const LossOptions& options) {
  const at::AutoGradMode withGradient(true);
  const at::Tensor leaf = hidden.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor logits = leaf.matmul(model.parameters()[1].second.to(at::kDouble).t());
  const at::Tensor logProb = logits.log_softmax(1);
  const at::Tensor picked = logProb.gather(1, targets.unsqueeze(1)).squeeze(1);
  const at::Tensor smoothed = picked.mul(1 - options.labelSmoothing).add(logProb.mean(1), options.labelSmoothing).neg();
  const at::Tensor each = smoothed.add(logits.logsumexp(1).square(), options.zLoss);
  const at::Tensor loss = options.reduction == Reduction::kSum ? each.sum() : each.mean();
  return {loss.item<double>(), torch::autograd::grad({loss}, {leaf})[0]};
}

}  // namespace

TEST(cross_entropy_equals_the_formula) {
  ToyModel model(6, 20);
  const at::Tensor hidden = CounterRandom(2, 0).uniformTensor({7, 6}, -3, 3);
  const at::Tensor targets = at::tensor({3, 0, 19, 5, 5, 1, 12}, at::kLong);
  NeverYields never;
  for (const Reduction reduction : {Reduction::kSum, Reduction::kMean}) {
    for (const double zLoss : {0.0, 0.01}) {
      for (const double smoothing : {0.0, 0.1}) {
        const LossOptions options{reduction, zLoss, smoothing};
        const Plain expected = plain(model, hidden, targets, options);
        for (const int64_t chunk : {1, 60, 1 << 22}) {  // one row, three rows, all rows at a time
          const CrossEntropy got = crossEntropy(model, hidden, targets, options, never, 0, chunk);
          CHECK(std::abs(got.loss - expected.loss) < 1e-5 * std::abs(expected.loss));
          CHECK_CLOSE(got.hiddenGradient, expected.gradient, 1e-6);
        }
      }
    }
  }
}

TEST(cross_entropy_reports_the_plain_loss) {
  ToyModel model(6, 20);
  const at::Tensor hidden = CounterRandom(2, 0).uniformTensor({3, 6}, -3, 3);
  const at::Tensor targets = at::tensor({3, 0, 19}, at::kLong);
  NeverYields never;
  const double expected = plain(model, hidden, targets, LossOptions{}).loss;
  const CrossEntropy got = crossEntropy(model, hidden, targets, LossOptions{Reduction::kMean, 0.1, 0.2}, never);
  CHECK(std::abs(got.negativeLogProb - expected) < 1e-5 * expected);
}

TEST(cross_entropy_survives_large_logits) {
  ToyModel model(6, 20);
  const at::Tensor hidden = CounterRandom(2, 0).uniformTensor({3, 6}, -3000, 3000);
  const at::Tensor targets = at::tensor({3, 0, 19}, at::kLong);
  NeverYields never;
  const CrossEntropy got = crossEntropy(model, hidden, targets, LossOptions{}, never);
  CHECK(std::isfinite(got.loss));
  CHECK_CLOSE(got.hiddenGradient, plain(model, hidden, targets, LossOptions{}).gradient, 1e-5);
}
