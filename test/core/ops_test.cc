// Each fast operator against the plain formula, values and gradients.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "check.h"
#include "core/ops/activation.h"
#include "core/ops/attention.h"
#include "core/ops/rms_norm.h"
#include "core/ops/simd.h"
#include "core/runtime/random.h"

using namespace softprompt;

namespace {

at::Tensor random(int64_t stream, at::IntArrayRef shape, double scale = 1) {
  return CounterRandom(7, stream).uniformTensor(shape, -scale, scale);
}

at::Tensor gradientOf(const at::Tensor& output, const at::Tensor& input, const at::Tensor& gradient) {
  return torch::autograd::grad({output}, {input}, {gradient})[0];
}

at::Tensor plainNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return x * (x.square().mean(-1, true) + epsilon).rsqrt() * weight;
}

at::Tensor plainActivation(FeedForward kind, const at::Tensor& wide) {
  if (kind == FeedForward::kRelu) return at::relu(wide);
  const auto halves = wide.chunk(2, -1);
  return (kind == FeedForward::kGatedGelu ? at::gelu(halves[0], "tanh") : at::silu(halves[0])) * halves[1];
}

// [rows, H, T, K] x [rows, H, S, K]
at::Tensor plainAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias) {
  const at::Tensor scores = at::matmul(q, k.transpose(-1, -2));
  return at::matmul(at::softmax(bias.defined() ? scores + bias : scores, -1), v);
}

at::Tensor headsOf(const at::Tensor& tokens, HeadShape shape) {
  return tokens.view({1, tokens.size(0), shape.heads, shape.size}).transpose(1, 2);
}

constexpr HeadShape kShape{3, 10};
const std::vector<int64_t> kLengths{1, 4, 4, 17};

}  // namespace

TEST(simdExp) {
  for (float x = -87; x < 88; x += 0.0173f) {
    CHECK(std::abs(simd::exp(x) / std::exp(x) - 1) < 3e-7f);
  }
  CHECK(simd::exp(-1000) < 1e-37f && simd::exp(1000) > 1e38f);
}

TEST(simdBfloat16) {
  for (const float x : {0.0f, -0.0f, 1.0f, 3.14159f, -2.71828e-20f, 1.00390625f, 1.01171875f, 3.3895e38f,
                        std::numeric_limits<float>::infinity()}) {
    uint16_t bits = 0;
    simd::store(&bits, x);
    CHECK_EQ(bits, c10::BFloat16(x).x);
    CHECK_EQ(simd::toFloat(bits), static_cast<float>(c10::BFloat16(x)));
  }
  uint16_t bits = 0;
  simd::store(&bits, std::numeric_limits<float>::quiet_NaN());
  CHECK(std::isnan(simd::toFloat(bits)));
}

TEST(opsRmsNorm) {
  for (const int64_t width : {1, 7, 192}) {
    const at::Tensor x = random(1, {33, width}, 3).requires_grad_(true), weight = random(2, {width});
    const at::Tensor gradient = random(3, {33, width});
    const at::Tensor expected = plainNorm(x, weight, 1e-6);
    const Normed normed = rmsNorm(x.detach(), weight, 1e-6);
    CHECK_CLOSE(normed.value, expected, 1e-6);
    at::Tensor added = random(4, {33, width});
    const at::Tensor before = added.clone();
    rmsNormBackward(gradient, x.detach(), weight, normed.inverse, added);
    CHECK_CLOSE(added - before, gradientOf(expected, x, gradient), 2e-6);
  }
}

TEST(opsRmsNormBfloat16) {
  const at::Tensor x = random(1, {33, 64}, 3), weight = random(2, {64}).to(at::kBFloat16);
  const Normed normed = rmsNorm(x, weight, 1e-6);
  CHECK(normed.value.scalar_type() == at::kBFloat16);
  CHECK_CLOSE(normed.value, plainNorm(x, weight.to(at::kFloat), 1e-6).to(at::kBFloat16), 4e-3);
}

TEST(opsActivation) {
  for (const FeedForward kind : {FeedForward::kRelu, FeedForward::kGatedGelu, FeedForward::kGatedSilu}) {
    const int64_t wideWidth = kind == FeedForward::kRelu ? 21 : 42;
    const at::Tensor wide = random(5, {19, wideWidth}, 6).requires_grad_(true), gradient = random(6, {19, 21});
    const at::Tensor expected = plainActivation(kind, wide);
    CHECK_CLOSE(activate(kind, wide.detach()), expected, 1e-6);
    CHECK_CLOSE(activateBackward(kind, gradient, wide.detach()), gradientOf(expected, wide, gradient), 2e-6);
    const at::Tensor half = wide.detach().to(at::kBFloat16);
    CHECK_CLOSE(activate(kind, half), plainActivation(kind, half.to(at::kFloat)), 4e-3);
  }
}

TEST(opsSelfAttention) {
  const int64_t inner = kShape.inner(), tokens = 26;
  const at::Tensor qkv = random(7, {tokens, 3 * inner}), gradient = random(8, {tokens, inner});
  for (const at::Tensor& bias : {at::Tensor(), random(9, {1, kShape.heads, 20, 20}, 2)}) {
    const auto groups = groupsOf(kLengths);
    CHECK_EQ(groups.size(), size_t{3});
    const Attended attended = selfAttention(qkv, groups, bias, kShape);
    const at::Tensor back = selfAttentionBackward(gradient, qkv, attended, groups, bias, kShape);
    int64_t offset = 0;
    for (const int64_t length : kLengths) {
      const at::Tensor row = qkv.narrow(0, offset, length).clone().requires_grad_(true);
      const auto part = [&](int64_t i) { return headsOf(row.narrow(1, i * inner, inner), kShape); };
      const at::Tensor corner = bias.defined() ? bias.narrow(2, 0, length).narrow(3, 0, length) : bias;
      const at::Tensor expected =
          plainAttention(part(0), part(1), part(2), corner).transpose(1, 2).reshape({length, inner});
      CHECK_CLOSE(attended.out.narrow(0, offset, length), expected, 1e-6);
      CHECK_CLOSE(back.narrow(0, offset, length), gradientOf(expected, row, gradient.narrow(0, offset, length)), 2e-6);
      offset += length;
    }
  }
}

TEST(opsCrossAttention) {
  const int64_t inner = kShape.inner(), tokens = 26, queries = 3, rows = 4;
  const at::Tensor q = random(10, {rows * queries, inner}), gradient = random(11, {rows * queries, inner});
  const at::Tensor all = random(12, {tokens, 4 * inner});  // two blocks' keys and values: rows are strided
  const at::Tensor kv = all.narrow(1, 2 * inner, 2 * inner);
  const auto groups = groupsOf(kLengths);
  const Attended attended = crossAttention(q, kv, groups, queries, kShape);
  at::Tensor allGradient = at::zeros_like(all);
  const at::Tensor kvGradient = allGradient.narrow(1, 2 * inner, 2 * inner);
  const at::Tensor qGradient = crossAttentionBackward(gradient, q, kv, attended, groups, queries, kShape, kvGradient);
  int64_t offset = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const at::Tensor query = q.narrow(0, i * queries, queries).clone().requires_grad_(true);
    const at::Tensor keys = kv.narrow(0, offset, kLengths[i]).clone().requires_grad_(true);
    const at::Tensor expected = plainAttention(headsOf(query, kShape), headsOf(keys.narrow(1, 0, inner), kShape),
                                               headsOf(keys.narrow(1, inner, inner), kShape), {})
                                    .transpose(1, 2)
                                    .reshape({queries, inner});
    CHECK_CLOSE(attended.out.narrow(0, i * queries, queries), expected, 1e-6);
    const auto gradients = torch::autograd::grad({expected}, {query, keys}, {gradient.narrow(0, i * queries, queries)});
    CHECK_CLOSE(qGradient.narrow(0, i * queries, queries), gradients[0], 2e-6);
    CHECK_CLOSE(kvGradient.narrow(0, offset, kLengths[i]), gradients[1], 2e-6);
    offset += kLengths[i];
  }
  CHECK_EQ(allGradient.narrow(1, 0, 2 * inner).abs().max().item<float>(), 0.0f);
}
