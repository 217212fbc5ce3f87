// Beam search, sampling, the rules about tokens, and that a row's answer is its own, on a small network.
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "check.h"
#include "core/generate/choose.h"
#include "core/generate/generate.h"
#include "core/generate/processors.h"
#include "core/generate/score.h"
#include "small_executor.h"

using softprompt::Candidate;
using softprompt::Draw;
using softprompt::EarlyStopping;
using softprompt::GenerateOptions;
using softprompt::Generation;
using softprompt::PromptedRows;
using softprompt::TokenRows;
using softprompt::TokenSequences;
using softprompt::TokenTrie;

namespace {

using Ids = std::vector<int32_t>;
using Answers = std::vector<std::vector<Generation>>;
constexpr int32_t kEos = 1;

std::shared_ptr<const TokenTrie> trieOf(const TokenSequences& sequences) {
  auto trie = std::make_shared<TokenTrie>();
  for (const Ids& sequence : sequences) trie->add(sequence);
  return trie;
}

std::shared_ptr<const TokenSequences> wordsOf(TokenSequences words) {
  return std::make_shared<TokenSequences>(std::move(words));
}

const TokenSequences kLabels = {{4, kEos}, {4, 5, kEos}, {9, 9, 9, kEos}, {12, kEos}};

PromptedRows randomRows(std::mt19937& random, int64_t n) {
  PromptedRows rows;
  rows.prompts = {check::uniform(random, {5, 8}, 2.0), check::uniform(random, {2, 8}, 2.0)};
  for (int64_t i = 0; i < n; ++i) {
    Ids ids(1 + random() % 12);
    for (int32_t& id : ids) id = static_cast<int32_t>(2 + random() % 22);
    rows.inputs.append(ids);
    rows.promptOfRow.push_back(static_cast<int32_t>(random() % 3) - 1);
  }
  return rows;
}

GenerateOptions randomOptions(std::mt19937& random) {
  const auto oneIn = [&](uint32_t n) { return random() % n == 0; };
  GenerateOptions options;
  options.maxNewTokens = 4 + static_cast<int64_t>(random() % 10);
  if (oneIn(4)) options.minNewTokens = static_cast<int64_t>(random() % 4);
  if (oneIn(2)) {
    options.numBeams = 2 + static_cast<int64_t>(random() % 4);
    options.numReturnSequences = 1 + static_cast<int64_t>(random() % 2);
    options.lengthPenalty = static_cast<double>(random() % 4) - 1;
    options.earlyStopping = static_cast<EarlyStopping>(random() % 3);
  } else if (oneIn(2)) {
    options.doSample = true;
    options.numReturnSequences = 1 + static_cast<int64_t>(random() % 3);
    options.temperature = 0.5 + (random() % 10) / 5.0;
    options.topK = static_cast<int64_t>(random() % 3) * 4;
    options.topP = 1 - (random() % 3) / 5.0;
    options.seed = random();
    options.place = random() % 100;
  }
  if (oneIn(4)) options.repetitionPenalty = 0.7 + (random() % 10) / 10.0;
  if (oneIn(4)) options.noRepeatNgramSize = 2 + static_cast<int64_t>(random() % 2);
  if (oneIn(4)) options.badWords = wordsOf({{3}, {5, 6}, {7}});
  if (oneIn(5)) {
    options.labels = trieOf(kLabels);
    options.minNewTokens = 0;  // else a single label may be left, and too few outputs for some rows
  }
  return options;
}

Answers decode(check::SmallExecutor& model, const PromptedRows& rows, const std::vector<GenerateOptions>& options,
               int64_t maxLanes = 64) {
  softprompt::NeverYields never;
  return softprompt::generate(model, rows, options, never, {}, maxLanes);
}

PromptedRows rowAlone(const PromptedRows& rows, int64_t row) {
  PromptedRows one{{}, rows.prompts, {rows.promptOfRow[row]}};
  one.inputs.append(rows.inputs.row(row));
  return one;
}

void checkSame(const std::vector<Generation>& a, const std::vector<Generation>& b) {
  CHECK_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].tokens == b[i].tokens);
    CHECK(std::abs(a[i].logProb - b[i].logProb) < 1e-4);
    CHECK(a[i].finishReason == b[i].finishReason);
  }
}

double sumOfScores(check::SmallExecutor& model, const PromptedRows& rows, const Ids& target) {
  softprompt::NeverYields never;
  TokenRows targets;
  targets.append(target);
  double sum = 0;
  const auto scores = softprompt::score(model, rows, targets, never);  // a loop over its element would outlive it
  for (const float logProb : scores.at(0)) sum += logProb;
  return sum;
}

// Every output of at most `length` tokens, with its log-probability.
void everyOutput(check::SmallExecutor& model, const PromptedRows& rows, int64_t length, Ids& ids,
                 std::vector<std::pair<double, Ids>>& all) {
  if (!ids.empty() && (ids.back() == kEos || std::ssize(ids) == length)) {
    all.emplace_back(sumOfScores(model, rows, ids), ids);
    return;
  }
  for (int32_t token = 0; token < model.config().vocabSize; ++token) {
    ids.push_back(token);
    everyOutput(model, rows, length, ids, all);
    ids.pop_back();
  }
}

at::Tensor processed(const at::Tensor& scores, const GenerateOptions& options, const std::vector<Ids>& ids) {
  at::Tensor out = scores.clone();
  std::vector<softprompt::ScoredLane> lanes;
  for (const Ids& one : ids) lanes.push_back({&options, one, false});
  softprompt::processScores(out, lanes, kEos);
  return out;
}

// The tokens that are left of one lane.
Ids left(const at::Tensor& scores, int64_t lane = 0) {
  Ids tokens;
  for (int32_t token = 0; token < scores.size(1); ++token)
    if (std::isfinite(scores[lane][token].item<float>())) tokens.push_back(token);
  return tokens;
}

}  // namespace

TEST(decoding_gives_a_row_the_same_answer_in_200_random_batches) {
  std::mt19937 random(20);
  for (uint32_t round = 0; round < 200; ++round) {
    check::SmallExecutor model(1 + round % 7);
    const int64_t n = 2 + static_cast<int64_t>(random() % 9);
    const PromptedRows rows = randomRows(random, n);
    std::vector<GenerateOptions> options;
    for (int64_t i = 0; i < n; ++i) options.push_back(randomOptions(random));
    const Answers together = decode(model, rows, options, round % 3 == 0 ? 9 : 64);
    for (int64_t row = 0; row < n; ++row)
      checkSame(together[row], decode(model, rowAlone(rows, row), {options[row]})[0]);
  }
}

TEST(beams_as_many_as_the_vocabulary_find_the_best_of_all) {
  std::mt19937 random(4);
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    check::SmallExecutor model(seed);
    const PromptedRows rows = randomRows(random, 1);
    Ids ids;
    std::vector<std::pair<double, Ids>> all;
    everyOutput(model, rows, 2, ids, all);
    std::sort(all.begin(), all.end(), std::greater());
    GenerateOptions options{.maxNewTokens = 2};
    options.numBeams = 24;
    options.numReturnSequences = 5;
    options.lengthPenalty = 0;
    options.earlyStopping = EarlyStopping::kNever;
    const std::vector<Generation> found = decode(model, rows, {options})[0];
    CHECK_EQ(found.size(), size_t{5});
    for (size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].tokens == all[i].second);
      CHECK(std::abs(found[i].logProb - all[i].first) < 1e-4);
    }
  }
}

TEST(beams_sum_the_raw_log_probabilities_whatever_the_rules) {
  std::mt19937 random(5);
  check::SmallExecutor model(3);
  const PromptedRows rows = randomRows(random, 6);
  GenerateOptions options{.maxNewTokens = 7};
  options.numBeams = options.numReturnSequences = 4;
  options.repetitionPenalty = 1.4;
  options.noRepeatNgramSize = 2;
  const Answers answers = decode(model, rows, std::vector<GenerateOptions>(6, options));
  for (int64_t row = 0; row < 6; ++row)
    for (const Generation& one : answers[row])
      CHECK(std::abs(one.logProb - sumOfScores(model, rowAlone(rows, row), one.tokens)) < 1e-4);
}

TEST(beams_are_dropped_with_their_row) {
  std::mt19937 random(6);
  check::SmallExecutor model(3);
  GenerateOptions brief{.maxNewTokens = 1}, lasting{.maxNewTokens = 20, .minNewTokens = 20};
  brief.numBeams = lasting.numBeams = 4;
  std::vector<GenerateOptions> options(12, brief);
  options[7] = lasting;
  decode(model, randomRows(random, 12), options);
  CHECK_EQ(model.stepped, 12 + 19 * 4);  // the first step reads the start token alone, once for all beams
}

TEST(labels_are_all_that_can_come_out) {
  std::mt19937 random(7);
  check::SmallExecutor model(2);
  const PromptedRows rows = randomRows(random, 30);
  for (const int64_t beams : {1, 2, 4}) {
    GenerateOptions options{.labels = trieOf(kLabels)};
    options.numBeams = options.numReturnSequences = beams;
    const Answers answers = decode(model, rows, std::vector<GenerateOptions>(30, options));
    for (const auto& ofRow : answers) {
      CHECK_EQ(std::ssize(ofRow), beams);
      for (size_t i = 0; i < ofRow.size(); ++i) {
        CHECK_EQ(std::count(kLabels.begin(), kLabels.end(), ofRow[i].tokens), 1);
        for (size_t j = 0; j < i; ++j) CHECK(ofRow[i].tokens != ofRow[j].tokens);
      }
    }
  }
}

TEST(beams_among_labels_rank_them_as_their_scores_do) {
  std::mt19937 random(8);
  check::SmallExecutor model(2);
  const PromptedRows rows = randomRows(random, 20);
  GenerateOptions options{.labels = trieOf(kLabels)};
  options.numBeams = options.numReturnSequences = 4;
  options.lengthPenalty = 0;
  const Answers answers = decode(model, rows, std::vector<GenerateOptions>(20, options));
  for (int64_t row = 0; row < 20; ++row)
    for (size_t i = 0; i < 4; ++i) {
      const double own = sumOfScores(model, rowAlone(rows, row), answers[row][i].tokens);
      CHECK(std::abs(own - answers[row][i].logProb) < 1e-4);
      CHECK(i == 0 || answers[row][i].logProb <= answers[row][i - 1].logProb + 1e-5);
    }
}

TEST(labels_win_over_what_forbids_all_of_them) {
  std::mt19937 random(9);
  check::SmallExecutor model(2);
  GenerateOptions options{.labels = trieOf({{4, 5, kEos}})};
  options.badWords = wordsOf({{4}, {5}});
  options.minNewTokens = 9;
  for (const int64_t beams : {1, 3}) {
    options.numBeams = beams;
    CHECK(decode(model, randomRows(random, 1), {options})[0][0].tokens == (Ids{4, 5, kEos}));
  }
}

TEST(beams_keep_a_label_that_is_allowed_to_one_that_would_have_to_be_forced) {
  std::mt19937 random(9);
  check::SmallExecutor model(2);
  GenerateOptions options{.labels = trieOf({{4, kEos}, {9, 9, 9, kEos}})};
  options.badWords = wordsOf({{9, 9}});
  options.numBeams = 2;
  for (const auto& answers : decode(model, randomRows(random, 10), std::vector<GenerateOptions>(10, options)))
    CHECK(answers[0].tokens == (Ids{4, kEos}));
}

TEST(rows_whose_options_leave_nothing_are_named) {
  std::mt19937 random(10);
  check::SmallExecutor model(2);
  TokenSequences all;
  for (int32_t token = 0; token < 24; ++token)
    if (token != kEos) all.push_back({token});
  GenerateOptions none{.maxNewTokens = 3, .minNewTokens = 1};
  none.badWords = wordsOf(all);
  for (const int64_t beams : {1, 2}) {
    none.numBeams = beams;
    CHECK_THROWS(decode(model, randomRows(random, 2), {GenerateOptions{}, none}), "OPTION_INVALID");
  }
  GenerateOptions outside;
  outside.badWords = wordsOf({{24}});
  CHECK_THROWS(decode(model, randomRows(random, 1), {outside}), "TOKEN_OUT_OF_RANGE");
  outside = {.labels = trieOf({{3, 24, kEos}})};
  CHECK_THROWS(decode(model, randomRows(random, 1), {outside}), "TOKEN_OUT_OF_RANGE");
}

TEST(processors_penalise_what_is_there_the_start_token_included) {
  const at::Tensor scores = at::tensor({2.f, -2.f, 3.f, -3.f}).view({1, 4});
  GenerateOptions options;
  options.repetitionPenalty = 2;
  CHECK(processed(scores, options, {{0, 3, 3}}).equal(at::tensor({1.f, -2.f, 3.f, -6.f}).view({1, 4})));
}

TEST(processors_forbid_repeated_ngrams) {
  const at::Tensor scores = at::zeros({1, 8});
  GenerateOptions options;
  options.noRepeatNgramSize = 1;
  CHECK(left(processed(scores, options, {{0, 3, 5}})) == (Ids{1, 2, 4, 6, 7}));
  options.noRepeatNgramSize = 2;
  CHECK(left(processed(scores, options, {{0, 3, 5, 3}})) == (Ids{0, 1, 2, 3, 4, 6, 7}));
  CHECK(left(processed(scores, options, {{0, 3, 5, 0}})) == (Ids{0, 1, 2, 4, 5, 6, 7}));  // after the start token
  CHECK_EQ(left(processed(scores, options, {{0}})).size(), size_t{8});
  options.noRepeatNgramSize = 3;
  CHECK(left(processed(scores, options, {{0, 3, 5, 6, 3, 5}})) == (Ids{0, 1, 2, 3, 4, 5, 7}));
}

TEST(processors_forbid_bad_words_but_not_the_end) {
  const at::Tensor scores = at::zeros({2, 8});
  GenerateOptions options;
  options.badWords = wordsOf({{2}, {3, 4}, {3, 3, 5}, {kEos}});
  const at::Tensor out = processed(scores, options, {{0, 3}, {0, 3, 3}});
  CHECK(left(out, 0) == (Ids{0, 1, 3, 5, 6, 7}));
  CHECK(left(out, 1) == (Ids{0, 1, 3, 6, 7}));
}

TEST(processors_hold_the_end_back) {
  GenerateOptions options{.minNewTokens = 2};
  const at::Tensor out = processed(at::zeros({2, 4}), options, {{0, 3}, {0, 3, 3}});
  CHECK(left(out, 0) == (Ids{0, 2, 3}));
  CHECK_EQ(left(out, 1).size(), size_t{4});
  CHECK(softprompt::changesScores(options, 1) && !softprompt::changesScores(options, 2));
}

TEST(trie_tells_what_may_follow) {
  const auto trie = trieOf(kLabels);
  CHECK(trie->next({}) == (Ids{4, 9, 12}));
  CHECK(trie->next(Ids{4}) == (Ids{kEos, 5}));
  CHECK(trie->next(Ids{4, kEos}).empty() && trie->next(Ids{5}).empty());
  CHECK(trie->isWithin(13) && !trie->isWithin(12));
}

namespace {

const std::vector<float> kScores = {0.3f, -1.2f, 1.1f, 0.9f, -0.4f, 2.0f, -3.0f, 1.1f};

// How often each token came out of `draws` draws.
std::vector<int64_t> drawCounts(const GenerateOptions& options, int64_t draws) {
  const at::Tensor scores = at::tensor(kScores).view({1, -1}), logProbs = at::log_softmax(scores, 1);
  std::vector<int64_t> counts(kScores.size());
  std::vector<Draw> all;
  for (int64_t i = 0; i < draws; ++i)
    all.push_back({0, &options, static_cast<uint64_t>(i % 50), static_cast<uint64_t>(i / 50)});
  for (const std::vector<Candidate>& one : softprompt::chooseSampled(scores, softprompt::rawScores(scores), all)) {
    ++counts[one[0].token];
    CHECK(std::abs(one[0].logProb - logProbs[0][one[0].token].item<float>()) < 1e-6);
  }
  return counts;
}

// Probabilities of softmax(kScores / temperature) over `kept`.
std::vector<double> distribution(double temperature, const std::vector<bool>& kept) {
  std::vector<double> p(kScores.size());
  double total = 0;
  for (size_t i = 0; i < p.size(); ++i) total += p[i] = kept[i] ? std::exp(kScores[i] / temperature) : 0;
  for (double& one : p) one /= total;
  return p;
}

// Pearson's statistic; with 7 degrees of freedom it exceeds 24.3 in one of 1,000 samples. The draws are fixed by a
// seed.
double chiSquared(const std::vector<int64_t>& counts, const std::vector<double>& p, int64_t draws) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = p[i] * static_cast<double>(draws);
    if (expected == 0) {
      CHECK_EQ(counts[i], 0);
    } else {
      sum += std::pow(static_cast<double>(counts[i]) - expected, 2) / expected;
    }
  }
  return sum;
}

}  // namespace

TEST(sampling_follows_the_distribution) {
  struct Case {
    double temperature;
    int64_t topK;
    double topP;
    std::vector<bool> kept;
  };
  const std::vector<bool> all(8, true);
  // Probabilities in order: 5 (0.41), 2 and 7 (0.16 each), 3 (0.13), 0 (0.07), 4 (0.04), 1 (0.02), 6.
  const std::vector<Case> cases = {
      {1, 0, 1, all},
      {0.6, 0, 1, all},
      {2.5, 0, 1, all},
      {1, 4, 1, {false, false, true, true, false, true, false, true}},
      {1,
       2,
       1,
       {false, false, true, false, false, true, false, true}},  // the second and the third are equal: both stay
      {1, 0, 0.5, {false, false, true, false, false, true, false, false}},
      {1, 0, 0.8, {false, false, true, true, false, true, false, true}},
      {1.5, 5, 0.6, {false, false, true, false, false, true, false, true}},
      {1, 0, 1e-9, {false, false, false, false, false, true, false, false}},
  };
  constexpr int64_t kDraws = 40'000;
  for (const Case& one : cases) {
    GenerateOptions options;
    options.doSample = true;
    options.seed = 11;
    options.temperature = one.temperature;
    options.topK = one.topK;
    options.topP = one.topP;
    CHECK(chiSquared(drawCounts(options, kDraws), distribution(one.temperature, one.kept), kDraws) < 24.3);
  }
}

TEST(sampling_of_whole_outputs_follows_their_probabilities) {
  std::mt19937 random(12);
  check::SmallExecutor model(2);
  const PromptedRows rows = randomRows(random, 1);
  GenerateOptions options{.maxNewTokens = 2,
                          .labels = trieOf({{4, kEos}, {4, 5}, {9, 9}, {9, 6}, {9, kEos}, {12, kEos}})};
  options.doSample = true;
  options.numReturnSequences = 4000;
  options.seed = 3;
  const std::vector<Generation> samples = decode(model, rows, {options})[0];
  CHECK_EQ(samples.size(), size_t{4000});
  // Each token is drawn among those that are allowed there: what is expected is a product of two shares.
  const auto weight = [&](const Ids& ids) { return std::exp(sumOfScores(model, rows, ids)); };
  const std::vector<TokenSequences> branches = {{{4, kEos}, {4, 5}}, {{9, 9}, {9, 6}, {9, kEos}}, {{12, kEos}}};
  double firsts = 0;
  for (const auto& branch : branches) firsts += weight({branch[0][0]});
  double statistic = 0;
  for (const auto& branch : branches) {
    double seconds = 0;
    for (const Ids& output : branch) seconds += weight(output);
    for (const Ids& output : branch) {
      const double expected = 4000 * weight({branch[0][0]}) / firsts * weight(output) / seconds;
      const auto count = std::count_if(samples.begin(), samples.end(),
                                       [&](const Generation& sample) { return sample.tokens == output; });
      statistic += std::pow(static_cast<double>(count) - expected, 2) / expected;
    }
  }
  CHECK(statistic < 20.5);  // 5 degrees of freedom, one in 1,000
}

TEST(sampling_is_fixed_by_the_seed_and_the_place) {
  std::mt19937 random(13);
  check::SmallExecutor model(2);
  const PromptedRows rows = randomRows(random, 1);
  GenerateOptions options{.maxNewTokens = 12, .minNewTokens = 12};
  options.doSample = true;
  options.numReturnSequences = 3;
  options.seed = 5;
  const auto first = decode(model, rows, {options})[0];
  checkSame(first, decode(model, rows, {options})[0]);
  CHECK(first[0].tokens != first[1].tokens && first[1].tokens != first[2].tokens);
  GenerateOptions other = options;
  other.seed = 6;
  CHECK(decode(model, rows, {other})[0][0].tokens != first[0].tokens);
  other = options;
  other.place = 1;
  CHECK(decode(model, rows, {other})[0][0].tokens != first[0].tokens);
}
