// Each fast operator against the plain formula, values and gradients.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "check.h"
#include "core/ops/activation.h"
#include "core/ops/attention.h"
#include "core/ops/attention_flash.h"
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

namespace {

// Both kernels, on short rows and on long ones of odd lengths (several blocks of queries, padded words).
struct SelfCase {
  decltype(&selfAttention) forward;
  decltype(&flashSelfAttentionBackward) backward;
};
at::Tensor ownSelfAttentionBackward(const at::Tensor& gradient, const at::Tensor& qkv, const Attended& attended,
                                    const std::vector<RowGroup>& groups, const at::Tensor& bias, HeadShape shape) {
  return selfAttentionBackward(gradient, qkv, attended, groups, bias, shape);
}
const std::vector<SelfCase> kSelf{{selfAttention, ownSelfAttentionBackward},
                                  {flashSelfAttention, flashSelfAttentionBackward}};
struct CrossCase {
  decltype(&crossAttention) forward;
  decltype(&crossAttentionBackward) backward;
};
const std::vector<CrossCase> kCross{{crossAttention, crossAttentionBackward},
                                    {flashCrossAttention, flashCrossAttentionBackward}};
const std::vector<std::vector<int64_t>> kLengths{{1, 4, 4, 17}, {65, 301}};

void checkSelf(const SelfCase& by, at::ScalarType dtype, const std::vector<int64_t>& lengths, double tolerance) {
  const int64_t inner = kShape.inner(), tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  const int64_t longest = lengths.back() + 3;
  const at::Tensor qkv = random(7, {tokens, 3 * inner}).to(dtype), gradient = random(8, {tokens, inner}).to(dtype);
  for (const at::Tensor& bias : {at::Tensor(), random(9, {1, kShape.heads, longest, longest}, 2)}) {
    const auto groups = groupsOf(lengths);
    const Attended attended = by.forward(qkv, groups, bias, kShape);
    const at::Tensor back = by.backward(gradient, qkv, attended, groups, bias, kShape);
    CHECK(attended.out.scalar_type() == dtype && back.scalar_type() == dtype);
    int64_t offset = 0;
    for (const int64_t length : lengths) {
      const at::Tensor row = qkv.narrow(0, offset, length).to(at::kFloat, false, true).requires_grad_(true);
      const auto part = [&](int64_t i) { return headsOf(row.narrow(1, i * inner, inner), kShape); };
      const at::Tensor corner = bias.defined() ? bias.narrow(2, 0, length).narrow(3, 0, length) : bias;
      const at::Tensor expected =
          plainAttention(part(0), part(1), part(2), corner).transpose(1, 2).reshape({length, inner});
      CHECK_CLOSE(attended.out.narrow(0, offset, length), expected, tolerance);
      CHECK_CLOSE(back.narrow(0, offset, length),
                  gradientOf(expected, row, gradient.narrow(0, offset, length).to(at::kFloat)), 2 * tolerance);
      offset += length;
    }
  }
}

void checkCross(const CrossCase& by, at::ScalarType dtype, const std::vector<int64_t>& lengths, double tolerance) {
  const int64_t inner = kShape.inner(), queries = 3, rows = std::ssize(lengths);
  const int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  const at::Tensor q = random(10, {rows * queries, inner}).to(dtype);
  const at::Tensor gradient = random(11, {rows * queries, inner}).to(dtype);
  const at::Tensor all = random(12, {tokens, 4 * inner}).to(dtype);  // two blocks' keys and values: rows are strided
  const at::Tensor kv = all.narrow(1, 2 * inner, 2 * inner);
  const auto groups = groupsOf(lengths);
  const Attended attended = by.forward(q, kv, groups, queries, kShape);
  at::Tensor allGradient = at::zeros_like(all);
  const at::Tensor kvGradient = allGradient.narrow(1, 2 * inner, 2 * inner);
  const at::Tensor qGradient = by.backward(gradient, q, kv, attended, groups, queries, kShape, kvGradient);
  int64_t offset = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const auto own = [&](const at::Tensor& x) { return x.narrow(0, i * queries, queries).to(at::kFloat, false, true); };
    const at::Tensor query = own(q).requires_grad_(true);
    const at::Tensor keys = kv.narrow(0, offset, lengths[i]).to(at::kFloat, false, true).requires_grad_(true);
    const at::Tensor expected = plainAttention(headsOf(query, kShape), headsOf(keys.narrow(1, 0, inner), kShape),
                                               headsOf(keys.narrow(1, inner, inner), kShape), {})
                                    .transpose(1, 2)
                                    .reshape({queries, inner});
    CHECK_CLOSE(own(attended.out), expected, tolerance);
    const auto gradients = torch::autograd::grad({expected}, {query, keys}, {own(gradient)});
    CHECK_CLOSE(own(qGradient), gradients[0], 2 * tolerance);
    CHECK_CLOSE(kvGradient.narrow(0, offset, lengths[i]), gradients[1], 2 * tolerance);
    offset += lengths[i];
  }
  CHECK_EQ(allGradient.narrow(1, 0, 2 * inner).abs().max().item<float>(), 0.0f);
}

}  // namespace

TEST(opsSelfAttention) {
  for (const SelfCase& by : kSelf) {
    for (const auto& lengths : kLengths) checkSelf(by, at::kFloat, lengths, 1e-6);
    for (const auto& lengths : kLengths) checkSelf(by, at::kBFloat16, lengths, 1e-2);
  }
}

TEST(opsCrossAttention) {
  for (const CrossCase& by : kCross) {
    for (const auto& lengths : kLengths) checkCross(by, at::kFloat, lengths, 1e-6);
    for (const auto& lengths : kLengths) checkCross(by, at::kBFloat16, lengths, 1e-2);
  }
}

// A row's attention has the same bits whatever stands beside it.
TEST(opsAttentionOfARowAlone) {
  const int64_t inner = kShape.inner();
  const at::Tensor qkv = random(13, {26, 3 * inner}), bias = random(14, {1, kShape.heads, 20, 20}, 2);
  const at::Tensor together = selfAttention(qkv, groupsOf({1, 4, 4, 17}), bias, kShape).out;
  const at::Tensor alone = selfAttention(qkv.narrow(0, 9, 17), groupsOf({17}), bias, kShape).out;
  CHECK(together.narrow(0, 9, 17).equal(alone));
}

TEST(opsAttentionKeepsNaN) {
  at::Tensor qkv = random(15, {5, 3 * kShape.inner()});
  qkv[2][kShape.inner()] = std::numeric_limits<float>::quiet_NaN();  // a key
  const at::Tensor out = selfAttention(qkv, groupsOf({5}), {}, kShape).out;
  CHECK(at::isnan(out.narrow(1, 0, kShape.size)).all().item<bool>());
}
