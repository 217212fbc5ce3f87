// int8: its products against the formula, and a whole model in it against float32.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.h"
#include "core/generate/score.h"
#include "core/ops/int8_product.h"
#include "core/runtime/random.h"
#include "fixture.h"

using namespace softprompt;

namespace {

at::Tensor random(int64_t stream, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  return CounterRandom(9, stream).uniformTensor(shape, -1, 1).to(dtype);
}

struct InInt8 {
  at::Tensor values, scales, sums;
};

InInt8 rowsInInt8(const at::Tensor& x) {
  InInt8 out{at::full({x.size(0), int8Depth(x.size(1))}, 77, at::kByte), at::empty({x.size(0)}, at::kFloat), {}};
  toInt8(x.const_data_ptr<float>(), x.size(0), x.size(1), out.values.mutable_data_ptr<uint8_t>(),
         out.scales.mutable_data_ptr<float>());
  return out;
}

InInt8 weightInInt8(const at::Tensor& w) {
  const int64_t columns = int8Columns(w.size(0)), depth = int8Depth(w.size(1));
  InInt8 out{at::empty({columns, depth}, at::kChar), at::empty({columns}, at::kFloat), at::empty({columns}, at::kInt)};
  for (int64_t from = 0; from < w.size(0); from += kInt8Panel)
    panelToInt8(w.const_data_ptr<float>() + from * w.size(1), std::min(kInt8Panel, w.size(0) - from), w.size(1),
                out.values.mutable_data_ptr<int8_t>() + from * depth, out.scales.mutable_data_ptr<float>() + from,
                out.sums.mutable_data_ptr<int32_t>() + from);
  return out;
}

// The numbers that the panels stand for: double [columns, depth].
at::Tensor numbersOf(const InInt8& weight, int64_t columns, int64_t depth) {
  const at::Tensor values = weight.values.view({-1, int8Depth(depth) / 4, 16, 4}).permute({0, 2, 1, 3});
  return values.reshape({-1, int8Depth(depth)}).narrow(0, 0, columns).narrow(1, 0, depth).to(at::kDouble) *
         weight.scales.narrow(0, 0, columns).to(at::kDouble).unsqueeze(1);
}

struct Columns {
  int64_t from, to;
};

Int8Product productOf(const InInt8& x, const InInt8& w, int64_t depth, Columns columns, const at::Tensor& y,
                      bool adds = false) {
  return {{x.values.const_data_ptr<uint8_t>(), x.scales.const_data_ptr<float>(), x.values.size(0)},
          {w.values.const_data_ptr<int8_t>(), w.scales.const_data_ptr<float>(), w.sums.const_data_ptr<int32_t>()},
          columns.from,
          columns.to,
          depth,
          y.mutable_data_ptr<float>(),
          y.stride(0),
          adds};
}

}  // namespace

TEST(int8RowsAreWithinHalfAStep) {
  at::Tensor x = random(1, {5, 300}) * 7;
  x[3].zero_();
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor given = x.to(dtype), wide = given.to(at::kFloat);
    InInt8 got = rowsInInt8(wide);
    if (dtype == at::kBFloat16) {
      const at::Tensor values = at::full_like(got.values, 77), scales = at::empty_like(got.scales);
      toInt8(static_cast<const uint16_t*>(given.const_data_ptr()), 5, 300, values.mutable_data_ptr<uint8_t>(),
             scales.mutable_data_ptr<float>());
      CHECK(values.equal(got.values) && scales.equal(got.scales));
    }
    const at::Tensor back = (got.values.to(at::kFloat) - 128) * got.scales.unsqueeze(1);
    CHECK(((back - wide).abs() <= got.scales.unsqueeze(1) * 0.5001).all().item<bool>());
    CHECK(((got.values.to(at::kFloat) - 128).abs().amax(1) == 127).sum().item<int64_t>() == 4);  // all but the zeros
  }
}

TEST(int8RowsTellWhatIsNotFinite) {
  at::Tensor x = random(1, {3, 300});
  x[0][299] = std::numeric_limits<float>::infinity();
  x[1][7] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor scales = rowsInInt8(x).scales;
  CHECK(!std::isfinite(scales[0].item<float>()) && !std::isfinite(scales[1].item<float>()));
  CHECK(std::isfinite(scales[2].item<float>()));
}

TEST(int8WeightsAreWithinHalfAStep) {
  const at::Tensor w = random(3, {23, 129}).to(at::kFloat);
  const InInt8 got = weightInInt8(w);
  const at::Tensor scales = got.scales.narrow(0, 0, 23).unsqueeze(1);
  CHECK(((numbersOf(got, 23, 129) - w).abs() <= scales * 0.5001).all().item<bool>());
}

// Both kernels to the bit, and both to what the 8-bit numbers stand for.
TEST(int8Product) {
  for (const int64_t depth : {1, 15, 64, 100, 129, 192, 512}) {
    const InInt8 x = rowsInInt8(random(2, {19, depth})), w = weightInInt8(random(3, {53, depth}));
    const at::Tensor rows =
        (x.values.narrow(1, 0, depth).to(at::kDouble) - 128) * x.scales.to(at::kDouble).unsqueeze(1);
    const at::Tensor exact = at::matmul(rows, numbersOf(w, 53, depth).t());
    for (const bool adds : {false, true}) {
      const at::Tensor start = random(4, {19, 53}), plain = start.clone();
      multiplyPlainly(productOf(x, w, depth, {0, 53}, plain, adds));
      CHECK_CLOSE(plain, adds ? exact + start : exact, 2e-6);
      for (int64_t some = 1; some <= 19; ++some) {
        const InInt8 last{x.values.narrow(0, 19 - some, some), x.scales.narrow(0, 19 - some, some), {}};
        const at::Tensor fast = start.narrow(0, 19 - some, some).clone();
        multiply(productOf(last, w, depth, {0, 53}, fast, adds));
        CHECK(fast.equal(plain.narrow(0, 19 - some, some)));
      }
      for (const Columns columns : {Columns{0, 1}, {5, 7}, {15, 17}, {16, 32}, {17, 53}, {52, 53}}) {
        const at::Tensor fast = start.clone(), slow = start.clone(), expected = start.clone();
        const auto part = [&](const at::Tensor& of) { return of.narrow(1, columns.from, columns.to - columns.from); };
        part(expected).copy_(part(plain));
        multiply(productOf(x, w, depth, columns, part(fast), adds));
        multiplyPlainly(productOf(x, w, depth, columns, part(slow), adds));
        CHECK(fast.equal(expected) && slow.equal(expected));  // and nothing beside it
      }
    }
  }
}

TEST(int8WeightsOfTheLargestSumFit) {
  const int64_t depth = 65536;  // d_ff of the largest T5
  const at::Tensor ones = at::zeros({1, depth}) + 1;
  const InInt8 x = rowsInInt8(ones), w = weightInInt8(ones);
  const at::Tensor y = at::empty({1, 1}, at::kFloat);
  multiply(productOf(x, w, depth, {0, 1}, y));
  CHECK(std::abs(y.item<float>() - 65536) < 1);
}

namespace {

// Logits of a teacher-forced pass over the fixture's rows.
at::Tensor logitsOf(Executor& model, const fixture::Answers& answers, NeverYields& never) {
  const at::NoGradGuard noGrad;
  Pass pass{never};
  const Encoded encoded = fixture::encode(model, answers, answers["prompt"], pass);
  return model.logits(model.decode(answers.decoderIds(), encoded, pass)).to(at::kFloat);
}

double errorOf(const at::Tensor& got, const at::Tensor& expected) {
  return ((got - expected).norm() / expected.norm()).item<double>();
}

}  // namespace

TEST(int8ModelIsNearFloat32) {
  NeverYields never;
  for (const char* family : fixture::kFamilies) {
    const fixture::Answers answers(family);
    const auto exact = fixture::load(fixture::folder(family)), loaded = fixture::load(fixture::folder(family), "int8");
    CHECK_EQ(loaded.dtype, std::string("int8"));
    CHECK_EQ(loaded.fingerprint, exact.fingerprint);
    CHECK_EQ(loaded.parameterCount, exact.parameterCount);
    CHECK(!loaded.executor->isDifferentiable());
    const at::Tensor expected = logitsOf(*exact.executor, answers, never);
    const auto half = fixture::load(fixture::folder(family), "bfloat16");
    const double reference = errorOf(logitsOf(*half.executor, answers, never), expected);
    CHECK(errorOf(logitsOf(*loaded.executor, answers, never), expected) < std::max(0.05, 4 * reference));
  }
}

// The matrices of the decoder and the head are there once, in int8.
TEST(int8ModelHoldsWhatItSays) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"), "int8");
  const T5Config& c = loaded.executor->config();
  const int64_t inner = c.numHeads * c.dKv;
  int64_t rows = 0, numbers = 0;
  const auto hold = [&](int64_t times, int64_t columns, int64_t depth) {
    rows += times * int8Columns(columns);
    numbers += times * int8Columns(columns) * int8Depth(depth);
  };
  hold(c.numDecoderLayers, 3 * inner, c.dModel);
  hold(2 * c.numDecoderLayers, c.dModel, inner);
  hold(c.numDecoderLayers, inner, c.dModel);
  hold(c.numDecoderLayers, 2 * c.dFf, c.dModel);
  hold(c.numDecoderLayers, c.dModel, c.dFf);
  hold(1, c.numDecoderLayers * 2 * inner, c.dModel);
  hold(1, c.vocabSize, c.dModel);
  int64_t inInt8 = 0, sides = 0, others = 0;
  for (const auto& [name, tensor] : loaded.executor->parameters()) {
    const bool isSide = name.ends_with(".scales") || name.ends_with(".sums");
    (tensor.scalar_type() == at::kChar ? inInt8 : isSide ? sides : others) += static_cast<int64_t>(tensor.nbytes());
    CHECK(tensor.scalar_type() == at::kChar || isSide || !name.starts_with("lm_head"));
  }
  CHECK_EQ(inInt8, numbers);
  CHECK_EQ(sides, 8 * rows);
  CHECK_EQ(loaded.bytes, inInt8 + sides + others);
}

TEST(int8OfARowIsTheSameAlone) {
  const fixture::Answers answers("t5-v1.1");
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"), "int8");
  Executor& model = *loaded.executor;
  const at::NoGradGuard noGrad;
  NeverYields never;
  Pass pass{never};
  const Encoded all = fixture::encode(model, answers, answers["prompt"], pass);
  const at::Tensor ids = at::randint(answers.config.vocabSize, {20, 4}, at::TensorOptions(at::kLong));
  const auto decoded = [&](int64_t first, int64_t rows) {
    const auto cache = model.startCache({all.hidden.narrow(0, first, rows), all.mask.narrow(0, first, rows)}, pass);
    std::vector<at::Tensor> logits;
    for (int64_t t = 0; t < 20; ++t)
      logits.push_back(model.logits(model.step(ids[t].narrow(0, first, rows), *cache, pass)));
    return at::stack(logits);
  };
  const at::Tensor together = decoded(0, 4);
  for (int64_t row = 0; row < 4; ++row) CHECK(decoded(row, 1).equal(together.narrow(1, row, 1)));
}

TEST(int8IsRefusedForDevicesAndFilesThatCannot) {
  NeverYields never;
  LoadOptions options;
  options.path = fixture::folder("t5-v1.1");
  options.dtype = "int7";
  CHECK_THROWS(loadModel(options, never), "OPTION_INVALID");
}
