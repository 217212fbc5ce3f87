// Greedy decoding, score and classify, on a small network: order, neighbours, options, callbacks, cancellation.
#include "core/generate/generate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <random>

#include "check.h"
#include "core/generate/choose.h"
#include "core/generate/rows.h"
#include "core/generate/score.h"
#include "small_executor.h"

using softprompt::FinishReason;
using softprompt::generate;
using softprompt::GenerateOptions;
using softprompt::Generation;
using softprompt::PromptedRows;
using softprompt::TokenRows;

namespace {

// `n` rows of 1 to 12 ids, two prompts of different lengths and none among them.
PromptedRows randomRows(uint32_t seed, int64_t n) {
  std::mt19937 random(seed);
  PromptedRows rows;
  rows.prompts = {check::uniform(random, {5, 8}, 2.0), check::uniform(random, {2, 8}, 2.0)};
  for (int64_t i = 0; i < n; ++i) {
    std::vector<int32_t> ids(1 + random() % 12);
    for (int32_t& id : ids) id = static_cast<int32_t>(2 + random() % 22);
    rows.inputs.append(ids);
    rows.promptOfRow.push_back(static_cast<int32_t>(random() % 3) - 1);
  }
  return rows;
}

PromptedRows rowAlone(const PromptedRows& rows, int64_t row) {
  PromptedRows one{{}, rows.prompts, {rows.promptOfRow[row]}};
  one.inputs.append(rows.inputs.row(row));
  return one;
}

std::vector<Generation> decode(check::SmallExecutor& model, const PromptedRows& rows,
                               const std::vector<GenerateOptions>& options, int64_t maxBatch = 64) {
  softprompt::NeverYields never;
  return check::firsts(generate(model, rows, options, never, {}, maxBatch));
}

TokenRows tokensOf(const std::vector<Generation>& answers) {
  TokenRows rows;
  for (const Generation& answer : answers) rows.append(answer.tokens);
  return rows;
}

class CancelsAt final : public softprompt::YieldPoint {
 public:
  explicit CancelsAt(int64_t at) : left_(at) {}
  void pause() override {
    if (--left_ == 0) throw softprompt::Cancelled();
  }

 private:
  int64_t left_;
};

}  // namespace

TEST(generate_gives_a_row_the_same_answer_in_any_company) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    check::SmallExecutor model(seed);
    const PromptedRows rows = randomRows(seed, 41);
    std::vector<GenerateOptions> options;
    for (int64_t i = 0; i < 41; ++i) options.push_back({1 + i % 15, i % 4});
    for (const int64_t maxBatch : {64, 7, 1}) {
      const std::vector<Generation> together = decode(model, rows, options, maxBatch);
      CHECK_EQ(together.size(), size_t{41});
      for (int64_t row = 0; row < 41; ++row) {
        const Generation alone = decode(model, rowAlone(rows, row), {options[row]}).at(0);
        CHECK(together[row].tokens == alone.tokens);
        CHECK(std::abs(together[row].logProb - alone.logProb) < 1e-4);
        CHECK(together[row].finishReason == alone.finishReason);
      }
    }
  }
}

TEST(generate_keeps_to_each_rows_own_limits) {
  check::SmallExecutor model(3);
  const PromptedRows rows = randomRows(5, 60);
  const std::vector<Generation> free = decode(model, rows, std::vector<GenerateOptions>(60, {30, 0}));
  int64_t ended = 0;
  for (const Generation& answer : free) {
    const bool eos = answer.tokens.back() == 1;
    CHECK((answer.finishReason == FinishReason::kEos) == eos);
    CHECK(eos || answer.tokens.size() == 30);
    CHECK(std::count(answer.tokens.begin(), answer.tokens.end() - 1, 1) == 0);  // nothing after </s>
    ended += eos;
  }
  CHECK(ended > 0 && ended < 60);  // both ways of ending are among them

  std::vector<GenerateOptions> options;
  for (int64_t i = 0; i < 60; ++i) options.push_back({i % 9, i % 9});
  const std::vector<Generation> exact = decode(model, rows, options);
  for (int64_t i = 0; i < 60; ++i) CHECK_EQ(std::ssize(exact[i].tokens), i % 9);
}

TEST(generate_drops_finished_rows) {
  check::SmallExecutor model(3);
  std::vector<GenerateOptions> options(40, GenerateOptions{1, 0});
  options[17] = {20, 20};
  decode(model, randomRows(5, 40), options);
  CHECK(model.stepped <= 40 + 19);
}

TEST(generate_tells_tokens_in_order) {
  check::SmallExecutor model(2);
  const PromptedRows rows = randomRows(6, 20);
  std::vector<std::vector<int32_t>> told(20);
  softprompt::NeverYields never;
  const auto onToken = [&](int64_t row, int32_t token) { told[row].push_back(token); };
  const std::vector<Generation> answers =
      check::firsts(generate(model, rows, std::vector<GenerateOptions>(20, {12, 0}), never, onToken, 6));
  for (size_t row = 0; row < 20; ++row) CHECK(told[row] == answers[row].tokens);
}

TEST(generate_stops_where_it_is_cancelled) {
  check::SmallExecutor model(2);
  CancelsAt fourth(4);  // the encoder pauses once, then every token
  int64_t told = 0;
  bool cancelled = false;
  try {
    generate(model, randomRows(6, 1), {{50, 50}}, fourth, [&](int64_t, int32_t) { ++told; });
  } catch (const softprompt::Cancelled&) {
    cancelled = true;
  }
  CHECK(cancelled);
  CHECK_EQ(told, 3);
}

TEST(generate_of_nothing_is_nothing) {
  check::SmallExecutor model;
  CHECK(decode(model, {}, {}).empty());
}

TEST(generate_leaves_grad_mode_as_it_was) {
  check::SmallExecutor model;
  const PromptedRows rows = randomRows(7, 3);
  const at::Tensor leaf = at::full({1}, 2.0, at::kFloat).requires_grad_(true);
  const at::Tensor before = leaf.mul(leaf);
  decode(model, rows, std::vector<GenerateOptions>(3));
  CHECK(at::GradMode::is_enabled());
  before.mul(leaf).sum().backward();
  CHECK_EQ(leaf.grad().item<float>(), 12.0f);
  const at::NoGradGuard noGrad;
  decode(model, rows, std::vector<GenerateOptions>(3));
  CHECK(!at::GradMode::is_enabled());
}

TEST(generate_checks_every_row_before_it_starts) {
  check::SmallExecutor model;
  PromptedRows rows = randomRows(7, 9);
  rows.inputs.append(std::vector<int32_t>{99});
  rows.promptOfRow.push_back(-1);
  CHECK_THROWS(decode(model, rows, std::vector<GenerateOptions>(10), 2), "TOKEN_OUT_OF_RANGE");
  CHECK_EQ(model.encoded, 0);
}

TEST(choose_takes_the_lowest_of_equal_logits) {
  const at::Tensor logits = at::tensor({0.f, 3.f, 3.f, 1.f, 5.f, 5.f, 2.f, 5.f}).view({2, 4});
  const auto chosen = softprompt::chooseBest(logits, softprompt::rawScores(logits), 1);
  CHECK_EQ(chosen[0][0].token, 1);
  CHECK_EQ(chosen[1][0].token, 0);
  const double sum = 1 + 2 * std::exp(3.0) + std::exp(1.0);
  CHECK(std::abs(chosen[0][0].logProb - (3 - std::log(sum))) < 1e-6);
}

TEST(generate_names_the_row_whose_logits_are_not_finite) {
  check::SmallExecutor model;
  PromptedRows rows = randomRows(7, 3);
  rows.prompts[0] = at::full({1, 8}, 3e38, at::kFloat);  // overflows in the network
  rows.promptOfRow = {-1, 0, -1};
  CHECK_THROWS(decode(model, rows, std::vector<GenerateOptions>(3)), "MODEL_NOT_FINITE");
}

TEST(score_agrees_with_generate_and_with_each_row_alone) {
  check::SmallExecutor model(4);
  const PromptedRows rows = randomRows(8, 33);
  const std::vector<Generation> answers = decode(model, rows, std::vector<GenerateOptions>(33, {11, 1}));
  const TokenRows targets = tokensOf(answers);
  softprompt::NeverYields never;
  const std::vector<std::vector<float>> scores = softprompt::score(model, rows, targets, never, 8);
  for (int64_t row = 0; row < 33; ++row) {
    CHECK_EQ(scores[row].size(), answers[row].tokens.size());
    double sum = 0;
    for (const float logProb : scores[row]) sum += logProb;
    CHECK(std::abs(sum - answers[row].logProb) < 1e-4);
    TokenRows target;
    target.append(targets.row(row));
    const std::vector<float> alone = softprompt::score(model, rowAlone(rows, row), target, never).at(0);
    for (size_t t = 0; t < alone.size(); ++t) CHECK(std::abs(alone[t] - scores[row][t]) < 1e-5);
  }
}

TEST(classify_sums_what_score_gives_for_each_label) {
  check::SmallExecutor model(5);
  const PromptedRows rows = randomRows(9, 21);
  TokenRows labels;
  for (const std::vector<int32_t>& label :
       {std::vector<int32_t>{1}, {4, 5, 1}, {4, 5, 6, 7, 1}, {9, 1}, {4, 1}, {9, 9, 9, 9, 9, 9, 1}})
    labels.append(label);
  softprompt::NeverYields never;
  model.encoded = 0;
  const at::Tensor logProbs = softprompt::classify(model, rows, labels, never, 8);
  CHECK_EQ(model.encoded, 21);  // one encoder pass for all labels
  CHECK(logProbs.sizes().equals({21, 6}));
  for (int64_t label = 0; label < labels.size(); ++label) {
    TokenRows targets;
    for (int64_t row = 0; row < 21; ++row) targets.append(labels.row(label));
    const std::vector<std::vector<float>> scores = softprompt::score(model, rows, targets, never);
    for (int64_t row = 0; row < 21; ++row) {
      double sum = 0;
      for (const float logProb : scores[row]) sum += logProb;
      CHECK(std::abs(sum - logProbs[row][label].item<float>()) < 1e-4);
    }
  }
}

TEST(classify_of_many_labels_and_long_rows_works_in_parts) {
  check::SmallExecutor model(5);
  PromptedRows rows;
  rows.promptOfRow.assign(3, -1);
  std::mt19937 random(3);
  for (int64_t i = 0; i < 3; ++i) {
    std::vector<int32_t> ids(1000 + i);
    for (int32_t& id : ids) id = static_cast<int32_t>(2 + random() % 22);
    rows.inputs.append(ids);
  }
  TokenRows labels;
  for (int32_t a = 2; a < 22; ++a) labels.append(std::vector<int32_t>{a, 1 + a % 3, 1});
  softprompt::NeverYields never;
  const at::Tensor logProbs = softprompt::classify(model, rows, labels, never);
  for (int64_t row = 0; row < 3; ++row) {
    const at::Tensor alone = softprompt::classify(model, rowAlone(rows, row), labels, never);
    CHECK_CLOSE(logProbs[row], alone[0], 1e-5);
  }
  TokenRows last;
  last.append(labels.row(19));
  const std::vector<float> scored = softprompt::score(model, rowAlone(rows, 1), last, never).at(0);
  CHECK(std::abs(scored[0] + scored[1] + scored[2] - logProbs[1][19].item<float>()) < 1e-4);
}

TEST(score_refuses_an_empty_target) {
  check::SmallExecutor model;
  softprompt::NeverYields never;
  TokenRows targets;
  targets.append(std::vector<int32_t>{4});
  targets.append(std::vector<int32_t>{});
  const PromptedRows rows = randomRows(1, 2);
  CHECK_THROWS(softprompt::score(model, rows, targets, never), "DATA_TARGET_EMPTY");
  TokenRows unknown;
  unknown.append(std::vector<int32_t>{4});
  unknown.append(std::vector<int32_t>{24});
  CHECK_THROWS(softprompt::score(model, rows, unknown, never), "TOKEN_OUT_OF_RANGE");
  CHECK_THROWS(softprompt::classify(model, rows, targets, never), "DATA_TARGET_EMPTY");
}

TEST(batches_hold_similar_lengths_and_no_more_than_they_may) {
  PromptedRows rows;
  for (int64_t i = 0; i < 200; ++i) {
    rows.inputs.append(std::vector<int32_t>(1 + (i * 37) % 500, 3));
    rows.promptOfRow.push_back(-1);
  }
  rows.inputs.append(std::vector<int32_t>(softprompt::kMaxBatchPositions + 5, 3));
  rows.promptOfRow.push_back(-1);
  std::vector<int64_t> which(201);
  for (int64_t i = 0; i < 201; ++i) which[i] = i;
  std::vector<bool> seen(201, false);
  int64_t before = std::numeric_limits<int64_t>::max();
  for (const std::vector<int64_t>& batch : softprompt::batchesByLength(rows, which, 64)) {
    const int64_t longest = rows.inputs.length(batch[0]), size = std::ssize(batch);
    CHECK(size <= 64 && (size == 1 || longest * size <= softprompt::kMaxBatchPositions));
    for (const int64_t row : batch) {
      CHECK(rows.inputs.length(row) <= before);
      before = rows.inputs.length(row);
      CHECK(!seen[row]);
      seen[row] = true;
    }
  }
  CHECK(std::all_of(seen.begin(), seen.end(), [](bool b) { return b; }));
}
