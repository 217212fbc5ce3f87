#include "core/prompt/prompt.h"

#include <ATen/ops/isfinite.h>

#include <sstream>

#include "core/runtime/error.h"

namespace softprompt {

void checkPrompt(const at::Tensor& rows, int64_t dModel) {
  if (rows.dim() != 2 || rows.scalar_type() != at::kFloat || rows.size(0) < 1 || rows.size(1) < 1) {
    std::ostringstream found;
    found << rows.scalar_type() << " " << rows.sizes();
    throw Error("PROMPT_INVALID",
                "a prompt is a float32 matrix of at least one row by d_model columns, but this one is " + found.str());
  }
  if (dModel > 0 && rows.size(1) != dModel)
    throw Error("PROMPT_WIDTH", "the prompt is " + std::to_string(rows.size(1)) + " wide but the model's d_model is " +
                                    std::to_string(dModel) + "; use it with the model that it was tuned on");
  const at::Tensor finite = rows.detach().isfinite().all(1);  // [P]
  if (!finite.all().item<bool>())
    throw Error("PROMPT_NOT_FINITE", "row " + std::to_string(finite.to(at::kInt).argmin().item<int64_t>()) +
                                         " of the prompt holds NaN or infinity; the prompt is damaged or its training "
                                         "diverged, so take another one");
}

}  // namespace softprompt
