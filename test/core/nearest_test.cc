#include "core/prompt/nearest.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "check.h"
#include "toy_model.h"

using namespace softprompt;

TEST(nearest_finds_the_token_that_a_row_is_a_multiple_of) {
  ToyModel model;
  const at::Tensor words = model.parameters()[0].second;
  NeverYields never;
  const at::Tensor prompt = at::stack({words[3].mul(7), words[9].neg(), words[5].mul(0.1)});
  const NearestTokens nearest = nearestTokens(model, prompt, 3, never);
  CHECK_EQ(nearest.ids.size(1), 3);
  CHECK_EQ(nearest.ids[0][0].item<int64_t>(), 3);
  CHECK_EQ(nearest.ids[2][0].item<int64_t>(), 5);
  CHECK(nearest.ids[1][0].item<int64_t>() != 9);
  CHECK_CLOSE(nearest.similarity[0][0], at::zeros({}).add(1), 1e-6);
  for (int64_t k = 1; k < 3; ++k)
    CHECK(nearest.similarity.select(1, k - 1).ge(nearest.similarity.select(1, k)).all().item<bool>());
}

TEST(nearest_ranks_the_whole_vocabulary_as_the_plain_formula_does) {
  ToyModel model(6, 9000);  // more than two chunks
  const at::Tensor words = model.parameters()[0].second.to(at::kFloat);
  NeverYields never;
  const at::Tensor prompt = words.slice(0, 4000, 4004).add(0.3);
  const at::Tensor unit = prompt.div(prompt.norm(2, {1}, true));
  const at::Tensor cosine = unit.matmul(words.div(words.norm(2, {1}, true)).t());
  const NearestTokens nearest = nearestTokens(model, prompt, 50, never);
  const auto [best, places] = cosine.topk(50, 1);
  CHECK_CLOSE(nearest.similarity, best, 1e-5);
  CHECK_CLOSE(cosine.gather(1, nearest.ids), best, 1e-5);
}

TEST(nearest_takes_more_than_there_are_and_rows_of_zeros) {
  ToyModel model;
  NeverYields never;
  const int64_t d = model.config().dModel;
  const NearestTokens nearest = nearestTokens(model, at::zeros({1, d}), 1000000, never);
  CHECK_EQ(nearest.ids.size(1), model.config().vocabSize);
  CHECK_CLOSE(nearest.similarity, at::zeros({1, model.config().vocabSize}), 0.0);
}

TEST(nearest_refuses_another_width) {
  ToyModel model;
  NeverYields never;
  CHECK_THROWS(nearestTokens(model, at::zeros({2, model.config().dModel + 1}), 3, never), "PROMPT_WIDTH");
}
