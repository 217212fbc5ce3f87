#include "core/runtime/random.h"

#include <algorithm>
#include <array>
#include <set>

#include "check.h"
#include "core/train/dropout.h"

using namespace softprompt;

// The known answers that come with Random123 for philox4x32-10; counter words 0-1 are ours, 2-3 the stream, the key the
// seed.
TEST(random_philox_known_answers) {
  using Words = std::array<uint32_t, 4>;
  CHECK((CounterRandom(0, 0).block(0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint64_t ones = ~uint64_t{0};
  CHECK((CounterRandom(ones, ones).block(ones) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((CounterRandom(0x299f31d0a4093822, 0x0370734413198a2e).block(0x85a308d3243f6a88) ==
         Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(random_permutation_holds_all) {
  const auto order = CounterRandom(7, 3).permutation(1000);
  CHECK_EQ(order.size(), 1000u);
  CHECK_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 1000u);
  CHECK(!std::is_sorted(order.begin(), order.end()));
  CHECK(order == CounterRandom(7, 3).permutation(1000));
  CHECK(order != CounterRandom(7, 4).permutation(1000));
  CHECK(order != CounterRandom(8, 3).permutation(1000));
  CHECK(CounterRandom(7, 3).permutation(0).empty());
}

TEST(random_permutation_is_uniform) {
  std::array<int, 6> counts{};
  for (uint64_t stream = 0; stream < 6000; ++stream) {
    const auto p = CounterRandom(0, stream).permutation(3);
    ++counts[p[0] * 2 + (p[1] > p[2])];
  }
  for (const int count : counts) CHECK(count > 880 && count < 1120);  // 1000 +- 4 standard deviations
}

TEST(random_sample_is_without_replacement) {
  const auto few = CounterRandom(1, 0).sample(50, 20);
  CHECK_EQ(std::set<int64_t>(few.begin(), few.end()).size(), 20u);
  const auto many = CounterRandom(1, 0).sample(8, 20);
  CHECK_EQ(many.size(), 20u);
  CHECK_EQ(std::set<int64_t>(many.begin(), many.begin() + 8).size(), 8u);
  CHECK_EQ(std::set<int64_t>(many.begin() + 8, many.begin() + 16).size(), 8u);
}

TEST(random_uniform_tensor) {
  const at::Tensor values = CounterRandom(5, 0).uniformTensor({101, 33}, -0.5, 0.5);
  CHECK(values.min().item<float>() >= -0.5f && values.max().item<float>() < 0.5f);
  CHECK(std::abs(values.mean().item<double>()) < 0.02);
  CHECK(std::abs(values.var().item<double>() - 1.0 / 12) < 0.005);
  CHECK(values.equal(CounterRandom(5, 0).uniformTensor({101, 33}, -0.5, 0.5)));
}

TEST(dropout_depends_on_seed_step_site_and_row) {
  const auto dropoutOf = [](uint64_t seed, int64_t step, int64_t first = 0) {
    std::vector<DropoutRow> rows;
    for (int64_t place = first; place < 32; ++place) rows.push_back({seed, place});
    return StepDropout(0.1, step, rows);
  };
  const StepDropout dropout = dropoutOf(3, 17);
  const at::Tensor mask = dropout.mask(4, {32, 1, 200});
  const at::Tensor kept = mask.ne(0);
  CHECK_CLOSE(mask, kept.to(at::kFloat).mul(1 / 0.9), 1e-6);
  CHECK(std::abs(kept.to(at::kDouble).mean().item<double>() - 0.9) < 0.015);
  CHECK(mask.equal(dropout.mask(4, {32, 1, 200})));
  CHECK(mask.slice(0, 0, 5).equal(dropout.mask(4, {5, 1, 200})));  // a row's mask does not depend on the others
  CHECK(!mask[0].equal(mask[1]));
  CHECK(!mask.equal(dropout.mask(5, {32, 1, 200})));
  CHECK(!mask.equal(dropoutOf(3, 18).mask(4, {32, 1, 200})));
  CHECK(!mask.equal(dropoutOf(4, 17).mask(4, {32, 1, 200})));
  // Neither where a row stands nor how far the batch is padded changes its mask.
  CHECK(mask.slice(0, 20, 32).equal(dropoutOf(3, 17, 20).mask(4, {12, 1, 200})));
  const at::Tensor heads = dropout.mask(4, {32, 3, 50, 1});
  CHECK(heads.slice(2, 0, 41).equal(dropout.mask(4, {32, 3, 41, 1})));
  CHECK(!heads.select(1, 0).equal(heads.select(1, 1)));
}
