#include "core/train/batch.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <set>

#include "check.h"
#include "toy_model.h"

using namespace softprompt;

using Rows = std::vector<int64_t>;

TEST(batch_unshuffled_whole_set_is_the_set) {
  BatchOrder order(5, 5, false, 0);
  for (const int64_t step : {0, 1, 9}) CHECK((order.rowsOf(step) == Rows{0, 1, 2, 3, 4}));
}

TEST(batch_unshuffled_runs_on_over_the_end) {
  BatchOrder order(5, 3, false, 0);
  CHECK((order.rowsOf(0) == Rows{0, 1, 2}));
  CHECK((order.rowsOf(1) == Rows{3, 4, 0}));
  CHECK((order.rowsOf(4) == Rows{2, 3, 4}));
}

TEST(batch_larger_than_the_set_is_the_set) {
  BatchOrder order(3, 32, false, 0);
  CHECK_EQ(order.batchSize(), 3);
  CHECK((order.rowsOf(7) == Rows{0, 1, 2}));
  BatchOrder shuffled(3, 32, true, 0);
  Rows rows = shuffled.rowsOf(7);
  std::sort(rows.begin(), rows.end());
  CHECK((rows == Rows{0, 1, 2}));
}

TEST(batch_every_epoch_is_another_permutation) {
  BatchOrder order(10, 4, true, 6);
  Rows all;
  for (int64_t step = 0; step < 5; ++step) {
    const Rows rows = order.rowsOf(step);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  CHECK_EQ(std::set<int64_t>(all.begin(), all.begin() + 10).size(), 10u);
  CHECK_EQ(std::set<int64_t>(all.begin() + 10, all.end()).size(), 10u);
  CHECK(!std::equal(all.begin(), all.begin() + 10, all.begin() + 10));
}

TEST(batch_depends_on_the_step_alone) {
  BatchOrder inOrder(10, 4, true, 6), jumping(10, 4, true, 6), other(10, 4, true, 7);
  Rows last;
  for (int64_t step = 0; step <= 8; ++step) last = inOrder.rowsOf(step);
  CHECK(jumping.rowsOf(8) == last);
  CHECK(other.rowsOf(8) != last);
}

TEST(batch_targets_are_shifted_right) {
  T5Config config;
  config.decoderStartTokenId = 7;
  config.padTokenId = 9;
  const TokenRows targets = rowsOf({{2}, {3, 4, 1}, {5, 1}});
  const DecoderTargets made = decoderTargets(targets, {2, 1}, config, 4);
  CHECK(made.decoderIds.equal(at::tensor({7, 5, 9, 9, 7, 3, 4, 9}, at::kLong).view({2, 4})));
  CHECK(made.positions.equal(at::tensor({0, 1, 4, 5, 6}, at::kLong)));
  CHECK(made.ids.equal(at::tensor({5, 1, 3, 4, 1}, at::kLong)));
}
