// What the weights get of a backward pass, and what their optimisers do, each against the plain formula.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "check.h"
#include "core/ops/attention.h"
#include "core/ops/loss_gradient.h"
#include "core/ops/rms_norm.h"
#include "core/ops/score_gradient.h"
#include "core/ops/weight_gradient.h"
#include "core/ops/weight_update.h"
#include "core/runtime/random.h"

using namespace softprompt;

namespace {

at::Tensor random(int64_t stream, at::IntArrayRef shape, double scale = 1) {
  return CounterRandom(17, stream).uniformTensor(shape, -scale, scale);
}

at::Tensor gradientOf(const at::Tensor& output, const at::Tensor& input, const at::Tensor& gradient) {
  return torch::autograd::grad({output}, {input}, {gradient})[0];
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

}  // namespace

TEST(productGradientIsAutograds) {
  const at::Tensor x = random(1, {70, 12}), gradient = random(2, {70, 20});
  const at::Tensor weight = random(3, {20, 12}).requires_grad_(true);
  const at::Tensor expected = gradientOf(at::linear(x, weight), weight, gradient);
  at::Tensor sum = at::zeros({20, 12}).fill_(0.5);
  addProductGradient(sum, gradient, x);
  CHECK_CLOSE(sum - 0.5, expected, 1e-5);
  sum.zero_();
  addProductGradient(sum, gradient.to(at::kBFloat16), x.to(at::kBFloat16));
  CHECK(distance(sum, expected) < 1e-2);
}

TEST(normGradientIsAutograds) {
  const at::Tensor x = random(1, {300, 24}), gradient = random(2, {300, 24});
  const at::Tensor weight = random(3, {24}).requires_grad_(true);
  const at::Tensor y = x * (x.square().mean(-1, true) + 1e-6).rsqrt() * weight;
  const at::Tensor expected = gradientOf(y, weight, gradient);
  const Normed normed = rmsNorm(x, weight.detach(), 1e-6);
  at::Tensor sum = at::zeros({24});
  addNormGradient(sum, gradient, x, normed.inverse);
  CHECK(distance(sum, expected) < 1e-5);
  addNormGradient(sum.zero_(), gradient.to(at::kBFloat16), x, normed.inverse);
  CHECK(distance(sum, expected) < 1e-2);
}

TEST(embeddingGradientIsAutograds) {
  const at::Tensor ids = at::tensor({3, 1, 3, 0, 3, 4}, at::kLong), gradient = random(1, {6, 200});
  const at::Tensor table = random(2, {5, 200}).requires_grad_(true);
  const at::Tensor expected = gradientOf(at::embedding(table, ids), table, gradient);
  at::Tensor sum = at::zeros({5, 200});
  addEmbeddingGradient(sum, gradient, ids);
  CHECK_CLOSE(sum, expected, 1e-6);
  CHECK_EQ(sum[2].abs().max().item<float>(), 0.0f);
}

// Rows of several lengths, one a single token; by our kernel and by the plain formula, against autograd.
TEST(biasGradientIsAutograds) {
  constexpr HeadShape kShape{3, 10};
  const std::vector<RowGroup> groups = groupsOf({1, 7, 7, 40});
  constexpr int64_t kTokens = 55, kLongest = 40;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor qkv = random(1, {kTokens, 3 * kShape.inner()}).to(dtype);
    const at::Tensor gradient = random(2, {kTokens, kShape.inner()}).to(dtype);
    const at::Tensor line = random(3, {kShape.heads, 2 * kLongest - 1}).requires_grad_(true);
    const at::Tensor place = at::arange(kLongest);
    const at::Tensor index = place.unsqueeze(0) - place.unsqueeze(1) + kLongest - 1;
    const at::Tensor bias = line.index_select(1, index.flatten()).view({1, kShape.heads, kLongest, kLongest});
    std::vector<at::Tensor> outputs;
    for (const RowGroup& group : groups) {
      const auto part = [&](int64_t i) {
        return qkv.to(at::kFloat)
            .narrow(0, group.offset, group.tokens())
            .narrow(1, i * kShape.inner(), kShape.inner())
            .view({group.rows, group.length, kShape.heads, kShape.size})
            .transpose(1, 2);
      };
      const at::Tensor corner = bias.narrow(2, 0, group.length).narrow(3, 0, group.length);
      const at::Tensor p = at::softmax(at::matmul(part(0), part(1).transpose(2, 3)) + corner, 3);
      outputs.push_back(at::matmul(p, part(2)).transpose(1, 2).reshape({group.tokens(), kShape.inner()}));
    }
    const at::Tensor expected = gradientOf(at::cat(outputs), line, gradient.to(at::kFloat));
    const at::Tensor dense = bias.detach().contiguous();
    const Attended attended = selfAttention(qkv, groups, dense, kShape);
    at::Tensor sums = at::zeros(line.sizes());
    selfAttentionBackward(gradient, qkv, attended, groups, dense, kShape, sums);
    CHECK(distance(sums, expected) < (dtype == at::kFloat ? 1e-5 : 2e-2));
    addScoreGradients(gradient, qkv, groups, dense, kShape, sums.zero_());
    CHECK(distance(sums, expected) < 1e-5);
  }
}

TEST(lossGradientIsAutograds) {
  const at::Tensor targets = at::tensor({3, 0, 96, 50, 50}, at::kLong);
  constexpr double kZLoss = 1e-2, kSmoothing = 0.1, kScale = 0.25;
  const at::Tensor logits = random(1, {5, 97}, 8).requires_grad_(true);
  const at::Tensor z = at::logsumexp(logits, 1);
  const at::Tensor entropy = at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum, -100, kSmoothing);
  const at::Tensor loss = entropy + kZLoss * z.square().sum();
  const at::Tensor expected = torch::autograd::grad({loss}, {logits})[0] * kScale;
  at::Tensor own = logits.detach().clone();
  const LossSums sums = lossGradient(own, targets, {kZLoss, kSmoothing, kScale});
  CHECK(std::abs(sums.loss / loss.item<double>() - 1) < 1e-6);
  const double plain = at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum).item<double>();
  CHECK(std::abs(sums.negativeLogProb / plain - 1) < 1e-6);
  CHECK_CLOSE(own, expected, 1e-6);
  at::Tensor halves = logits.detach().to(at::kBFloat16);
  lossGradient(halves, targets, {kZLoss, kSmoothing, kScale});
  CHECK(distance(halves.to(at::kFloat), expected) < 3e-2);
}

TEST(weightUpdateLoops) {
  const at::Tensor g = random(1, {130, 70}), p = random(2, {130, 70}), d = g.to(at::kDouble);
  CHECK(std::abs(sumOfSquares(g) / d.square().sum().item<double>() - 1) < 1e-6);
  const SquareSums sums = squareSums(g);
  CHECK(distance(sums.rows, d.square().sum(1)) < 1e-6);
  CHECK(distance(sums.columns, d.square().sum(0)) < 1e-6);
  const at::Tensor rows = random(3, {130}).abs(), columns = random(4, {70}).abs();
  const at::Tensor u = d * rows.unsqueeze(1) * columns;
  CHECK(std::abs(factoredSquares(g, rows, columns) / u.square().sum().item<double>() - 1) < 1e-6);
  const at::Tensor changed = p.clone();
  subtractFactored(changed, g, rows, columns, 0.9, 0.5);
  CHECK_CLOSE(changed, p * 0.9 - u * 0.5, 1e-6);
}
