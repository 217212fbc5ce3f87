// The fast executor equals the plain one: values, gradients, and which parameters it holds.
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "check.h"
#include "core/runtime/random.h"
#include "core/t5/packing.h"
#include "core/train/dropout.h"
#include "fixture.h"

using softprompt::CounterRandom;
using softprompt::DropoutMasks;
using softprompt::Encoded;
using softprompt::Executor;
using softprompt::Pass;

namespace {

constexpr const char* kFamilies[] = {"t5-v1.0", "t5-v1.1"};

softprompt::LoadedModel plain(const std::string& family, const std::string& dtype) {
  return fixture::loadPlain(fixture::folder(family), dtype);
}

struct Outcome {
  at::Tensor encoded, logits, gradient;
};

// Teacher-forced over the fixture's rows, which are of unequal length, one of them a single token.
Outcome run(Executor& model, const fixture::Answers& answers, const DropoutMasks* dropout = nullptr) {
  softprompt::NeverYields never;
  Pass pass{never, dropout};
  const at::Tensor prompt = answers["prompt"].clone().requires_grad_(true);
  const Encoded encoded = fixture::encode(model, answers, prompt, pass);
  const at::Tensor logits = model.logits(model.decode(answers.decoderIds(), encoded, pass)).to(at::kFloat);
  const at::Tensor weights = CounterRandom(3, 0).uniformTensor(logits.sizes(), -1, 1);
  const at::Tensor gradient = torch::autograd::grad({(logits * weights).sum()}, {prompt})[0];
  const at::Tensor real = encoded.mask.unsqueeze(2).to(at::kFloat);
  return {encoded.hidden.to(at::kFloat) * real, logits, gradient};
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

}  // namespace

TEST(packingIsRoundedUp) {
  at::Tensor mask = at::ones({3, 40}, at::kBool);
  mask[1].narrow(0, 7, 33).fill_(false);
  const auto packing = softprompt::packingOf(mask);
  CHECK_EQ(packing->tokens, 87);
  CHECK_EQ(packing->places.numel(), 96);
  CHECK_EQ(softprompt::tokensOf(packing->groups), 87);
  CHECK_EQ(packing->places[0].item<int64_t>(), 40);  // the shortest row first
  CHECK_EQ(softprompt::packingOf(at::ones({6, 100}, at::kBool))->places.numel(), 640);
}

TEST(fastEqualsPlain) {
  for (const char* family : kFamilies) {
    const fixture::Answers answers(family);
    const Outcome expected = run(*plain(family, "float32").executor, answers);
    const Outcome got = run(*fixture::load(fixture::folder(family)).executor, answers);
    CHECK(distance(got.encoded, expected.encoded) < 1e-5);
    CHECK(distance(got.logits, expected.logits) < 2e-5);
    CHECK(distance(got.gradient, expected.gradient) < 1e-4);
  }
}

// The same numbers are dropped at the same places.
TEST(fastDropsWhatPlainDrops) {
  for (const char* family : kFamilies) {
    const fixture::Answers answers(family);
    std::vector<softprompt::DropoutRow> rows;
    for (int64_t row = 0; row < answers["input_ids"].size(0); ++row) rows.push_back({5, row});
    const softprompt::StepDropout dropout(0.3, 2, rows);
    const auto model = fixture::load(fixture::folder(family));
    const Outcome expected = run(*plain(family, "float32").executor, answers, &dropout);
    const Outcome got = run(*model.executor, answers, &dropout);
    CHECK(distance(got.encoded, expected.encoded) < 1e-5);
    CHECK(distance(got.logits, expected.logits) < 5e-5);
    CHECK(distance(got.gradient, expected.gradient) < 1e-4);
    CHECK(distance(run(*model.executor, answers).logits, expected.logits) > 1e-2);
  }
}

// With its residual stream in float32 it must lie no farther from the float32 answers than the plain one does.
TEST(fastBfloat16IsNoWorse) {
  for (const char* family : kFamilies) {
    const fixture::Answers answers(family);
    const Outcome exact = run(*plain(family, "float32").executor, answers);
    const Outcome reference = run(*plain(family, "bfloat16").executor, answers);
    const Outcome got = run(*fixture::load(fixture::folder(family), "bfloat16").executor, answers);
    CHECK(distance(got.encoded, exact.encoded) < 1.2 * distance(reference.encoded, exact.encoded));
    CHECK(distance(got.logits, exact.logits) < 1.2 * distance(reference.logits, exact.logits));
  }
}

TEST(fastHoldsTheSameParametersOnce) {
  for (const char* family : kFamilies) {
    const auto reference = plain(family, "float32"), fast = fixture::load(fixture::folder(family));
    CHECK_EQ(fast.fingerprint, reference.fingerprint);
    CHECK_EQ(fast.bytes, reference.bytes);
    const auto expected = reference.executor->parameters(), got = fast.executor->parameters();
    CHECK_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      CHECK_EQ(got[i].first, expected[i].first);
      CHECK(got[i].second.equal(expected[i].second));
      CHECK(!got[i].second.requires_grad());
    }
  }
}

// A row without real positions, or with a hole, is the plain executor's.
TEST(fastLeavesOddMasksToPlain) {
  const fixture::Answers answers("t5-v1.1");
  const auto reference = plain("t5-v1.1", "float32"), fast = fixture::load(fixture::folder("t5-v1.1"));
  softprompt::NeverYields never;
  Pass pass{never};
  at::Tensor mask = answers.mask().clone();
  mask[0][1] = false;
  mask[1].fill_(false);
  const auto hidden = [&](Executor& model) {
    return model.encode(model.embed(answers["input_ids"]), mask, pass).hidden;
  };
  CHECK_CLOSE(hidden(*fast.executor), hidden(*reference.executor), 1e-6);
}
