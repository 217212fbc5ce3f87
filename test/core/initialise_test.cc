#include "core/prompt/initialise.h"

#include <set>

#include "check.h"
#include "toy_model.h"

using namespace softprompt;

namespace {

at::Tensor table(const ToyModel& model) {
  return model.parameters()[0].second;
}

// The vocabulary id that each row of `prompt` is; -1: none.
std::vector<int64_t> idsOf(const at::Tensor& prompt, const at::Tensor& table) {
  std::vector<int64_t> ids;
  for (int64_t row = 0; row < prompt.size(0); ++row) {
    int64_t found = -1;
    for (int64_t id = 0; id < table.size(0); ++id) {
      if (prompt[row].equal(table[id])) found = id;
    }
    ids.push_back(found);
  }
  return ids;
}

}  // namespace

TEST(initialise_vocabulary_samples_without_replacement) {
  ToyModel model;
  InitOptions options;
  options.length = 12;
  options.sampledFrom = 15;
  const at::Tensor prompt = initialPrompt(model, options, 4);
  const auto ids = idsOf(prompt, table(model));
  CHECK_EQ(std::set<int64_t>(ids.begin(), ids.end()).size(), 12u);
  for (const int64_t id : ids) CHECK(id >= 0 && id < 15);
  CHECK(prompt.equal(initialPrompt(model, options, 4)));
  CHECK(!prompt.equal(initialPrompt(model, options, 5)));
  options.sampledFrom = 5000;  // more than there are
  options.length = 50;
  CHECK_EQ(initialPrompt(model, options, 4).size(0), 50);
}

TEST(initialise_uniform) {
  ToyModel model(64, 20);
  InitOptions options;
  options.kind = InitKind::kUniform;
  options.low = 0;
  const at::Tensor prompt = initialPrompt(model, options, 0);
  CHECK_EQ(prompt.size(0), 100);
  CHECK(prompt.min().item<float>() >= 0 && prompt.max().item<float>() < 0.5f && prompt.max().item<float>() > 0.49f);
}

TEST(initialise_labels_are_means_then_vocabulary) {
  ToyModel model;
  InitOptions options;
  options.kind = InitKind::kLabels;
  options.length = 5;
  options.labels = rowsOf({{3, 4, 8}, {7}});
  const at::Tensor prompt = initialPrompt(model, options, 0);
  const at::Tensor words = table(model);
  CHECK_CLOSE(prompt[0], words[3].add(words[4]).add(words[8]).div(3), 1e-6);
  CHECK(prompt[1].equal(words[7]));
  for (const int64_t id : idsOf(prompt.slice(0, 2), words)) CHECK(id >= 0);
  options.length = 1;
  CHECK(initialPrompt(model, options, 0).equal(prompt.slice(0, 0, 1)));
}

TEST(initialise_text_is_its_pieces) {
  ToyModel model;
  InitOptions options;
  options.kind = InitKind::kText;
  options.length = 4;
  options.labels = rowsOf({{3, 4, 8}});
  const auto ids = idsOf(initialPrompt(model, options, 0), table(model));
  CHECK(ids[0] == 3 && ids[1] == 4 && ids[2] == 8 && ids[3] >= 0);
}

TEST(initialise_prompt_is_cut_or_filled_up) {
  ToyModel model;
  InitOptions options;
  options.kind = InitKind::kPrompt;
  options.prompt = CounterRandom(0, 0).uniformTensor({3, 6}, 0, 9);
  for (const int64_t length : {2, 3, 5}) {
    options.length = length;
    const at::Tensor prompt = initialPrompt(model, options, 0);
    CHECK_EQ(prompt.size(0), length);
    CHECK(prompt.slice(0, 0, 3).equal(options.prompt.slice(0, 0, length)));
  }
  options.prompt = CounterRandom(0, 0).uniformTensor({3, 5}, 0, 9);
  CHECK_THROWS(initialPrompt(model, options, 0), "PROMPT_WIDTH");
}

TEST(initialise_refuses_bad_labels) {
  ToyModel model;
  InitOptions options;
  options.kind = InitKind::kLabels;
  options.labels = rowsOf({{3}, {}});
  CHECK_THROWS(initialPrompt(model, options, 0), "OPTION_INVALID");
  options.labels = rowsOf({{3}, {20}});
  CHECK_THROWS(initialPrompt(model, options, 0), "TOKEN_OUT_OF_RANGE");
}
