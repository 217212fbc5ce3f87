// What a prompt must be, whatever it came from.
#include "core/prompt/prompt.h"

#include <ATen/ops/ones.h>

#include <limits>

#include "check.h"

using softprompt::checkPrompt;

TEST(prompt_of_the_right_kind_passes) {
  checkPrompt(at::ones({3, 8}), 8);
  checkPrompt(at::ones({1, 5}), 0);  // any width
}

TEST(prompt_of_the_wrong_kind_is_refused) {
  CHECK_THROWS(checkPrompt(at::ones({8}), 8), "PROMPT_INVALID");
  CHECK_THROWS(checkPrompt(at::ones({0, 8}), 8), "PROMPT_INVALID");
  CHECK_THROWS(checkPrompt(at::ones({3, 8}).to(at::kDouble), 8), "PROMPT_INVALID");
  CHECK_THROWS(checkPrompt(at::ones({3, 9}), 8), "PROMPT_WIDTH");
}

TEST(prompt_that_is_not_finite_is_refused_by_row) {
  const at::Tensor rows = at::ones({4, 8});
  rows[2][5] = std::numeric_limits<float>::infinity();
  try {
    checkPrompt(rows, 8);
    CHECK(false);
  } catch (const softprompt::Error& e) {
    CHECK_EQ(e.code(), "PROMPT_NOT_FINITE");
    CHECK(std::string(e.what()).find("row 2 ") != std::string::npos);
  }
}
