// [P; X]: what lies where, what is real, and that the prompt's gradient is the sum over its copies.
#include "core/prompt/prefix.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "check.h"
#include "small_executor.h"

using softprompt::EncoderInput;
using softprompt::prefixed;
using softprompt::TokenRows;

namespace {

TokenRows rowsOf(const std::vector<std::vector<int32_t>>& rows) {
  TokenRows all;
  for (const std::vector<int32_t>& row : rows) all.append(row);
  return all;
}

at::Tensor promptOf(int64_t rows, uint32_t seed) {
  std::mt19937 random(seed);
  return check::uniform(random, {rows, 8}, 1.0);
}

// [P; X] of one row alone, by definition.
at::Tensor alone(check::SmallExecutor& model, const TokenRows& inputs, int64_t row, const at::Tensor& prompt) {
  std::vector<at::Tensor> parts;
  if (prompt.defined()) parts.push_back(prompt);
  for (const int32_t id : inputs.row(row)) parts.push_back(model.embed(at::full({1}, id, at::kLong)));
  return at::cat(parts);
}

}  // namespace

TEST(prefix_puts_each_prompt_before_its_input) {
  check::SmallExecutor model;
  const TokenRows inputs = rowsOf({{5, 6, 7, 1}, {8}, {9, 1}, {}, {3, 4}});
  const std::vector<at::Tensor> prompts{promptOf(3, 1), promptOf(1, 2)};
  const std::vector<int32_t> promptOfRow{1, 0, -1, 0, 1};
  const std::vector<int64_t> which{4, 0, 1, 2, 3};
  const EncoderInput batch = prefixed(model, inputs, which, prompts, promptOfRow, 4);
  CHECK(batch.embeds.sizes().equals({5, 8, 8}));  // the longest has 1 + 4 positions, rounded up to 8
  CHECK(batch.mask.scalar_type() == at::kBool);
  for (int64_t b = 0; b < 5; ++b) {
    const int32_t prompt = promptOfRow[which[b]];
    const at::Tensor expected = alone(model, inputs, which[b], prompt < 0 ? at::Tensor() : prompts[prompt]);
    const int64_t length = expected.size(0);
    CHECK(batch.embeds[b].narrow(0, 0, length).equal(expected));
    CHECK_EQ(batch.mask[b].sum().item<int64_t>(), length);
    CHECK(batch.mask[b].narrow(0, 0, length).all().item<bool>());
  }
}

TEST(prefix_without_any_prompt_is_the_embedding) {
  check::SmallExecutor model;
  const EncoderInput batch = prefixed(model, rowsOf({{5, 6}, {7}}), {0, 1}, {}, {-1, -1});
  CHECK(batch.embeds.sizes().equals({2, 2, 8}));
  CHECK(!batch.embeds.requires_grad());
  CHECK(batch.mask.equal(at::tensor({1, 1, 1, 0}).to(at::kBool).view({2, 2})));
}

TEST(prefix_sums_the_gradient_over_a_prompts_copies) {
  check::SmallExecutor model;
  const at::Tensor first = promptOf(2, 3).requires_grad_(true), second = promptOf(3, 4).requires_grad_(true);
  const EncoderInput batch =
      prefixed(model, rowsOf({{5}, {6, 7}, {8}, {9}}), {0, 1, 2, 3}, {first, second}, {0, 1, 0, -1});
  std::mt19937 random(9);
  const at::Tensor weights = check::uniform(random, batch.embeds.sizes(), 1.0);
  batch.embeds.mul(weights).sum().backward();
  CHECK_CLOSE(first.grad(), weights[0].narrow(0, 0, 2).add(weights[2].narrow(0, 0, 2)), 1e-6);
  CHECK_CLOSE(second.grad(), weights[1].narrow(0, 0, 3), 1e-6);
}

TEST(prefix_casts_to_the_models_dtype_and_sums_the_gradient_in_float32) {
  check::SmallExecutor model(1, at::kBFloat16);
  const at::Tensor prompt = promptOf(1, 5).requires_grad_(true);
  TokenRows inputs;
  std::vector<int64_t> which;
  for (int64_t i = 0; i < 300; ++i) {
    inputs.append(std::vector<int32_t>{4});
    which.push_back(i);
  }
  const EncoderInput batch = prefixed(model, inputs, which, {prompt}, std::vector<int32_t>(300, 0));
  CHECK(batch.embeds.scalar_type() == at::kBFloat16);
  batch.embeds.select(1, 0).sum().backward();
  CHECK(prompt.grad().equal(at::full({1, 8}, 300.0, at::kFloat)));  // 300 ones in bfloat16 would stop at 256
}

TEST(prefix_refuses_what_the_model_cannot_read) {
  check::SmallExecutor model;
  const at::Tensor prompt = promptOf(2, 6);
  CHECK_THROWS(prefixed(model, rowsOf({{5}, {24}}), {0, 1}, {}, {-1, -1}), "TOKEN_OUT_OF_RANGE");
  CHECK_THROWS(prefixed(model, rowsOf({{-1}}), {0}, {prompt}, {0}), "TOKEN_OUT_OF_RANGE");
  CHECK_THROWS(prefixed(model, rowsOf({{}}), {0}, {}, {-1}), "DATA_ROW_INVALID");
  CHECK_THROWS(prefixed(model, rowsOf({{5}}), {0}, {at::ones({2, 7})}, {0}), "PROMPT_WIDTH");
  CHECK_THROWS(prefixed(model, rowsOf({{5}}), {0}, {at::full({2, 8}, std::numeric_limits<float>::quiet_NaN())}, {0}),
               "PROMPT_NOT_FINITE");
  try {
    prefixed(model, rowsOf({{5}, {6, 24}}), {1, 0}, {}, {-1, -1});
    CHECK(false);
  } catch (const softprompt::Error& e) {
    const std::string message = e.what();
    CHECK(message.find("row 1") != std::string::npos && message.find("24") != std::string::npos);
    CHECK(message.find("ids 0 to 23") != std::string::npos);
  }
}
