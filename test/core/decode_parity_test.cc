// Decoding and scoring on real T5s against Hugging Face's answers (test/fixtures/README.md), plain and behind a prompt.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_softmax.h>

#include <cmath>

#include "check.h"
#include "core/generate/generate.h"
#include "core/generate/score.h"
#include "core/prompt/prefix.h"
#include "fixture.h"

using fixture::kFamilies;
using softprompt::Executor;
using softprompt::GenerateOptions;
using softprompt::Generation;
using softprompt::PromptedRows;
using softprompt::TokenRows;

namespace {

constexpr int64_t kNewTokens = 10;  // the fixtures' max_new_tokens

// Row `row` of int64 [rows, n], up to the first `fill`.
std::vector<int32_t> rowOf(const at::Tensor& ids, int64_t row, int64_t fill) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < ids.size(1); ++i) {
    const int64_t id = ids[row][i].item<int64_t>();
    if (id == fill) break;
    out.push_back(static_cast<int32_t>(id));
  }
  return out;
}

TokenRows rowsOf(const at::Tensor& ids, int64_t fill) {
  TokenRows rows;
  for (int64_t row = 0; row < ids.size(0); ++row) rows.append(rowOf(ids, row, fill));
  return rows;
}

// Hugging Face's greedy ids: without the start token, up to </s>.
std::vector<int32_t> expectedTokens(const fixture::Answers& answers, const char* name, int64_t row) {
  const at::Tensor& greedy = answers[name];
  std::vector<int32_t> out;
  for (int64_t i = 1; i < greedy.size(1); ++i) {
    out.push_back(static_cast<int32_t>(greedy[row][i].item<int64_t>()));
    if (out.back() == answers.config.eosTokenId) break;
  }
  return out;
}

// The fixture's rows, each without its prompt and then with it, in one call.
PromptedRows plainAndPrompted(const fixture::Answers& answers) {
  PromptedRows rows;
  rows.prompts = {answers["prompt"]};
  const TokenRows inputs = rowsOf(answers["input_ids"], answers.config.padTokenId);
  for (const int32_t prompt : {-1, 0})
    for (int64_t row = 0; row < inputs.size(); ++row) {
      rows.inputs.append(inputs.row(row));
      rows.promptOfRow.push_back(prompt);
    }
  return rows;
}

std::vector<Generation> decode(Executor& model, const PromptedRows& rows, softprompt::YieldPoint& yieldPoint) {
  std::vector<Generation> firsts;
  for (auto& answers :
       generate(model, rows, std::vector<GenerateOptions>(rows.inputs.size(), {kNewTokens, 0}), yieldPoint))
    firsts.push_back(answers.at(0));
  return firsts;
}

// float32 [rows, T, V] -> the log-probability of each target token of `row`.
std::vector<float> expectedScores(const at::Tensor& logits, const TokenRows& targets, int64_t row) {
  const at::Tensor logProbs = at::log_softmax(logits[row], 1);
  std::vector<float> out;
  for (int64_t t = 0; t < targets.length(row); ++t) out.push_back(logProbs[t][targets.row(row)[t]].item<float>());
  return out;
}

// Decodes at every pause.
class DecodesMeanwhile final : public softprompt::YieldPoint {
 public:
  DecodesMeanwhile(Executor& model, const PromptedRows& rows) : model_(model), rows_(rows) {}
  void pause() override {
    softprompt::NeverYields never;
    answers = decode(model_, rows_, never);
    ++pauses;
  }
  std::vector<Generation> answers;
  int64_t pauses = 0;

 private:
  Executor& model_;
  const PromptedRows& rows_;
};

}  // namespace

TEST(decode_parity_greedy_ids) {
  for (const char* family : kFamilies) {
    const auto loaded = fixture::load(fixture::folder(family));
    const fixture::Answers answers(family);
    softprompt::NeverYields never;
    const std::vector<Generation> mixed = decode(*loaded.executor, plainAndPrompted(answers), never);
    for (int64_t row = 0; row < 4; ++row) {
      CHECK(mixed[row].tokens == expectedTokens(answers, "plain.greedy", row));
      CHECK(mixed[4 + row].tokens == expectedTokens(answers, "prompted.greedy", row));
    }
  }
}

TEST(decode_parity_scores) {
  for (const char* family : kFamilies) {
    const auto loaded = fixture::load(fixture::folder(family));
    const fixture::Answers answers(family);
    const TokenRows four = rowsOf(answers["labels"], -100);
    TokenRows targets;
    for (int64_t i = 0; i < 8; ++i) targets.append(four.row(i % 4));
    softprompt::NeverYields never;
    const PromptedRows rows = plainAndPrompted(answers);
    const std::vector<std::vector<float>> scores = softprompt::score(*loaded.executor, rows, targets, never);
    const at::Tensor classified = softprompt::classify(*loaded.executor, rows, four, never);
    for (int64_t i = 0; i < 8; ++i) {
      const std::vector<float> expected =
          expectedScores(answers[i < 4 ? "plain.logits" : "prompted.logits"], four, i % 4);
      CHECK_EQ(scores[i].size(), expected.size());
      double sum = 0;
      for (size_t t = 0; t < expected.size(); ++t) {
        CHECK(std::abs(scores[i][t] - expected[t]) < 1e-4);
        sum += expected[t];
      }
      CHECK(std::abs(classified[i][i % 4].item<float>() - sum) < 1e-3);
    }
  }
}

TEST(decode_parity_in_any_company) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  const fixture::Answers answers("t5-v1.1");
  softprompt::NeverYields never;
  const PromptedRows rows = plainAndPrompted(answers);
  const std::vector<Generation> together = decode(*loaded.executor, rows, never);
  for (int64_t row = 0; row < 8; ++row) {
    PromptedRows one{{}, rows.prompts, {rows.promptOfRow[row]}};
    one.inputs.append(rows.inputs.row(row));
    const Generation alone = decode(*loaded.executor, one, never).at(0);
    CHECK(alone.tokens == together[row].tokens);
    CHECK(std::abs(alone.logProb - together[row].logProb) < 1e-3);
  }
}

TEST(decode_within_a_forward_and_backward_changes_nothing) {
  const auto loaded = fixture::load(fixture::folder("t5-v1.1"));
  const fixture::Answers answers("t5-v1.1");
  const PromptedRows rows = plainAndPrompted(answers);
  const TokenRows inputs = rowsOf(answers["input_ids"], answers.config.padTokenId);
  const auto gradient = [&](softprompt::YieldPoint& yieldPoint) {
    const at::Tensor prompt = answers["prompt"].detach().clone().requires_grad_(true);
    softprompt::Pass pass{yieldPoint};
    const softprompt::EncoderInput batch =
        softprompt::prefixed(*loaded.executor, inputs, {0, 1, 2, 3}, {prompt}, {0, 0, 0, 0});
    const softprompt::Encoded encoded = loaded.executor->encode(batch.embeds, batch.mask, pass);
    const at::Tensor hidden = loaded.executor->decode(answers.decoderIds(), encoded, pass);
    at::log_softmax(loaded.executor->logits(hidden), 2).select(2, 7).sum().backward();
    return prompt.grad();
  };
  softprompt::NeverYields never;
  DecodesMeanwhile meanwhile(*loaded.executor, rows);
  const at::Tensor quiet = gradient(never), disturbed = gradient(meanwhile);
  CHECK(quiet.equal(disturbed));
  CHECK(meanwhile.pauses > 8);  // forward and backward
  CHECK(at::GradMode::is_enabled());
  const std::vector<Generation> alone = decode(*loaded.executor, rows, never);
  for (size_t row = 0; row < 8; ++row) CHECK(alone[row].tokens == meanwhile.answers[row].tokens);
}
