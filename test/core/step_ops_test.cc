// The operators of a decoding step against the plain formula; and a row's result, to the bit, in every company.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "core/ops/activation.h"
#include "core/ops/attend.h"
#include "core/ops/product.h"
#include "core/ops/rms_norm.h"
#include "core/ops/vocabulary.h"
#include "core/runtime/random.h"
#include "core/runtime/team.h"

using namespace softprompt;

namespace {

at::Tensor random(int64_t stream, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  return CounterRandom(9, stream).uniformTensor(shape, -1, 1).to(dtype);
}

template <class T>
constexpr at::ScalarType kDtype = sizeof(T) == 4 ? at::kFloat : at::kBFloat16;

template <class T>
using Multiply = void (*)(const Product<T>&);

template <class T>
at::Tensor product(Multiply<T> multiply, const at::Tensor& x, const at::Tensor& weight) {
  at::Tensor y = at::empty({x.size(0), weight.size(0)}, at::kFloat);
  multiply({static_cast<const T*>(x.const_data_ptr()), x.size(0), static_cast<const T*>(weight.const_data_ptr()),
            weight.size(0), x.size(1), y.mutable_data_ptr<float>(), y.size(1)});
  return y;
}

template <class T>
void checkProduct(Multiply<T> multiply) {
  for (const int64_t depth : {1, 15, 32, 40, 97, 192}) {
    const at::Tensor x = random(1, {11, depth}, kDtype<T>), weight = random(2, {23, depth}, kDtype<T>);
    const at::Tensor all = product(multiply, x, weight);
    CHECK_CLOSE(all, at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t()), 2e-6);
    for (int64_t from = 0; from < 11; ++from)
      for (int64_t rows = 1; from + rows <= 11; ++rows)
        CHECK(product(multiply, x.narrow(0, from, rows), weight).equal(all.narrow(0, from, rows)));
    for (int64_t from = 0; from < 23; ++from)
      CHECK(product(multiply, x, weight.narrow(0, from, 23 - from)).equal(all.narrow(1, from, 23 - from)));
  }
}

// A head's keys and values in blocks, where position s is written to block (s / 16, s % writers): as beams leave them.
template <class T>
void checkAttend(int64_t size, int64_t positions, int64_t writers) {
  const at::Tensor q = random(3, {size}), keys = random(4, {positions, size}, kDtype<T>);
  const at::Tensor values = random(5, {positions, size}, kDtype<T>);
  const at::Tensor wholeKeys = keys.to(at::kFloat), wholeValues = values.to(at::kFloat);
  const BlockShape shape{size};
  const int64_t blocks = (positions + kBlockPositions - 1) / kBlockPositions;
  // What nobody wrote must not matter.
  at::Tensor room =
      at::full({blocks * writers * shape.numbers()}, std::numeric_limits<float>::quiet_NaN()).to(kDtype<T>);
  std::vector<PastPart<T>> past;
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t writer = 0; writer < writers; ++writer) {
      T* here = static_cast<T*>(room.data_ptr()) + (block * writers + writer) * shape.numbers();
      uint32_t mask = 0;
      for (int64_t i = writer; i < kBlockPositions && 16 * block + i < positions; i += writers) {
        const int64_t s = 16 * block + i;
        const float *key = wholeKeys.const_data_ptr<float>() + s * size,
                    *value = wholeValues.const_data_ptr<float>() + s * size;
        placeInBlock(Placing<T>{key, value, i, here, here + shape.keys()}, shape);
        mask |= 1u << i;
      }
      if (mask) past.push_back({here, here + shape.keys(), 16 * block, mask});
    }
  for (const at::Tensor& bias : {at::Tensor(), random(6, {positions})}) {
    std::vector<float> scores(positions + kBlockPositions);
    at::Tensor out = at::empty({size}, at::kFloat);
    attend(q.const_data_ptr<float>(), std::span<const PastPart<T>>(past),
           bias.defined() ? bias.const_data_ptr<float>() : nullptr, positions, shape, scores.data(),
           out.mutable_data_ptr<float>());
    at::Tensor expected = at::matmul(keys.to(at::kFloat), q);
    if (bias.defined()) expected = expected + bias;
    CHECK_CLOSE(out, at::matmul(at::softmax(expected, 0), values.to(at::kFloat)), 1e-6);
  }
}

}  // namespace

TEST(stepProduct) {
  checkProduct<float>(multiply);
  checkProduct<uint16_t>(multiply);
  checkProduct<float>(multiplyPlainly);
  checkProduct<uint16_t>(multiplyPlainly);
}

TEST(stepProductAdds) {
  const at::Tensor x = random(1, {3, 40}), weight = random(2, {9, 40});
  at::Tensor y = random(7, {3, 9});
  const at::Tensor expected = y + at::matmul(x, weight.t());
  multiply(Product<float>{x.const_data_ptr<float>(), 3, weight.const_data_ptr<float>(), 9, 40,
                          y.mutable_data_ptr<float>(), 9, true});
  CHECK_CLOSE(y, expected, 1e-6);
}

TEST(stepAttend) {
  for (const int64_t size : {3, 16, 20, 64, 100})
    for (const int64_t positions : {1, 15, 16, 50})
      for (const int64_t writers : {1, 3}) {
        checkAttend<float>(size, positions, writers);
        checkAttend<uint16_t>(size, positions, writers);
      }
}

TEST(stepRowsEqualTensors) {
  const at::Tensor x = random(8, {5, 37}), weight = random(10, {37}), halfWeight = weight.to(at::kBFloat16);
  at::Tensor out = at::empty_like(x), halfOut = at::empty_like(x, at::kBFloat16);
  const NormRows rows{x.const_data_ptr<float>(), 5, 37, 1e-6f};
  rmsNorm(rows, weight.const_data_ptr<float>(), out.mutable_data_ptr<float>());
  CHECK(out.equal(rmsNorm(x, weight, 1e-6).value));
  rmsNorm(rows, static_cast<const uint16_t*>(halfWeight.const_data_ptr()), static_cast<uint16_t*>(halfOut.data_ptr()));
  CHECK(halfOut.equal(rmsNorm(x, halfWeight, 1e-6).value));
  for (const FeedForward kind : {FeedForward::kRelu, FeedForward::kGatedGelu, FeedForward::kGatedSilu}) {
    const at::Tensor wide = random(11, {1, kind == FeedForward::kRelu ? 37 : 74}), expected = activate(kind, wide);
    const float* first = wide.const_data_ptr<float>();
    activate(kind, first, first + 37, 37, out.mutable_data_ptr<float>());
    CHECK_CLOSE(out.narrow(0, 0, 1), expected, 1e-6);
    activate(kind, first, first + 37, 37, static_cast<uint16_t*>(halfOut.data_ptr()));
    CHECK_CLOSE(halfOut.narrow(0, 0, 1), expected, 4e-3);
  }
}

TEST(vocabularyLogSumExp) {
  for (const int64_t size : {1, 5, 64, 1000}) {
    const at::Tensor logits = random(12, {3, size}) * 40;
    CHECK_CLOSE(logSumExp(logits), at::logsumexp(logits, 1), 1e-6);
  }
  at::Tensor odd = random(12, {3, 70});
  odd[0][3] = std::numeric_limits<float>::quiet_NaN();
  odd[1][69] = std::numeric_limits<float>::infinity();
  const at::Tensor sums = logSumExp(odd);
  CHECK(std::isnan(sums[0].item<float>()) && !std::isfinite(sums[1].item<float>()));
  CHECK(std::isfinite(sums[2].item<float>()));
}

TEST(vocabularyLogSumOfParts) {
  const at::Tensor logits = random(12, {1, 1000}) * 40;
  for (const int64_t size : {1, 64, 333, 1000}) {
    std::vector<LogSum> parts;
    for (int64_t from = 0; from < 1000; from += size)
      parts.push_back(logSumOf(logits.const_data_ptr<float>() + from, std::min<int64_t>(size, 1000 - from)));
    CHECK(std::abs(logOf(parts) - at::logsumexp(logits, 1).item<float>()) < 1e-5);
  }
  const float odd[] = {1, std::numeric_limits<float>::quiet_NaN()};
  const LogSum parts[] = {logSumOf(odd, 1), logSumOf(odd + 1, 1)};
  CHECK(!std::isfinite(logOf(parts)));
}

TEST(vocabularyBestIds) {
  for (const int64_t size : {1, 5, 63, 64, 200})
    for (const int64_t count : {1, 4, 8}) {
      const at::Tensor scores = random(13, {7, size});
      const at::Tensor expected = std::get<1>(at::topk(scores, std::min(count, size), 1));
      const auto got = bestIds(scores, count);
      for (int64_t row = 0; row < 7; ++row) {
        CHECK_EQ(static_cast<int64_t>(got[row].size()), expected.size(1));
        for (int64_t i = 0; i < expected.size(1); ++i) CHECK_EQ(got[row][i], expected[row][i].item<int64_t>());
      }
    }
  at::Tensor equal = at::full({1, 300}, 2.0f);
  equal[0][9] = 1.0f;
  CHECK(bestIds(equal, 3)[0] == (std::vector<int32_t>{0, 1, 2}));
  equal[0][200] = equal[0][250] = 3.0f;
  CHECK(bestIds(equal, 3)[0] == (std::vector<int32_t>{200, 250, 0}));
}

TEST(teamDividesAllOnce) {
  for (const int members : {1, 2, 5}) {
    Team team(members);
    std::vector<int> done(97);
    for (int round = 1; round <= 3000; ++round) {
      const int64_t count = round % 97 + 1;  // another work each time, with pieces of another size
      std::atomic<int64_t> total{0};
      team.divide(count, round % 7 + 1, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) ++done[i];
        total += to - from;
      });
      CHECK_EQ(total.load(), count);
      for (int64_t i = 0; i < count; ++i) CHECK_EQ(std::exchange(done[i], 0), 1);
      if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));  // helpers fall asleep
    }
  }
}
