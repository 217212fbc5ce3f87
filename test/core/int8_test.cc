// int8: its products against the formula, and a whole model in it against float32.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

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
  InInt8 out{at::empty(x.sizes(), at::kByte), at::empty({x.size(0)}, at::kFloat), {}};
  toInt8(x.const_data_ptr<float>(), x.size(0), x.size(1), out.values.mutable_data_ptr<uint8_t>(),
         out.scales.mutable_data_ptr<float>());
  return out;
}

InInt8 weightInInt8(const at::Tensor& w) {
  InInt8 out{at::empty(w.sizes(), at::kChar), at::empty({w.size(0)}, at::kFloat), at::empty({w.size(0)}, at::kInt)};
  weightToInt8(w.const_data_ptr<float>(), w.size(0), w.size(1), out.values.mutable_data_ptr<int8_t>(),
               out.scales.mutable_data_ptr<float>(), out.sums.mutable_data_ptr<int32_t>());
  return out;
}

Int8Product productOf(const InInt8& x, const InInt8& w, const at::Tensor& y, bool adds = false) {
  return {{x.values.const_data_ptr<uint8_t>(), x.scales.const_data_ptr<float>(), x.values.size(0)},
          {w.values.const_data_ptr<int8_t>(), w.scales.const_data_ptr<float>(), w.sums.const_data_ptr<int32_t>()},
          w.values.size(0),
          w.values.size(1),
          y.mutable_data_ptr<float>(),
          y.size(1),
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
      const at::Tensor values = at::empty_like(got.values), scales = at::empty_like(got.scales);
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

// Both kernels to the bit, and both to what the 8-bit numbers stand for.
TEST(int8Product) {
  for (const int64_t depth : {1, 15, 64, 100, 129, 192, 512}) {
    const InInt8 x = rowsInInt8(random(2, {11, depth})), w = weightInInt8(random(3, {23, depth}));
    const at::Tensor exact = at::matmul((x.values.to(at::kDouble) - 128) * x.scales.to(at::kDouble).unsqueeze(1),
                                        (w.values.to(at::kDouble) * w.scales.to(at::kDouble).unsqueeze(1)).t());
    for (const bool adds : {false, true}) {
      const at::Tensor start = random(4, {11, 23}), plain = start.clone();
      multiplyPlainly(productOf(x, w, plain, adds));
      CHECK_CLOSE(plain, adds ? exact + start : exact, 2e-6);
      for (int64_t rows = 1; rows <= 11; ++rows) {
        const InInt8 some{x.values.narrow(0, 11 - rows, rows), x.scales.narrow(0, 11 - rows, rows), {}};
        const at::Tensor fast = start.narrow(0, 11 - rows, rows).clone();
        multiply(productOf(some, w, fast, adds));
        CHECK(fast.equal(plain.narrow(0, 11 - rows, rows)));
      }
    }
  }
}

TEST(int8WeightsOfTheLargestSumFit) {
  const int64_t depth = 65536;  // d_ff of the largest T5
  const at::Tensor ones = at::zeros({1, depth}) + 1;
  const InInt8 x = rowsInInt8(ones), w = weightInInt8(ones);
  const at::Tensor y = at::empty({1, 1}, at::kFloat);
  multiply(productOf(x, w, y));
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
  const int64_t rows = c.numDecoderLayers * (3 * inner + c.dModel + inner + c.dModel + 2 * c.dFf + c.dModel + 2 * inner);
  const int64_t numbers = c.numDecoderLayers * c.dModel * (8 * inner + 3 * c.dFf) + c.vocabSize * c.dModel;
  int64_t inInt8 = 0, sides = 0, others = 0;
  for (const auto& [name, tensor] : loaded.executor->parameters()) {
    const bool isSide = name.ends_with(".scales") || name.ends_with(".sums");
    (tensor.scalar_type() == at::kChar ? inInt8 : isSide ? sides : others) += static_cast<int64_t>(tensor.nbytes());
    CHECK(tensor.scalar_type() == at::kChar || isSide || !name.starts_with("lm_head"));
  }
  CHECK_EQ(inInt8, numbers);
  CHECK_EQ(sides, 8 * (rows + c.vocabSize));
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
