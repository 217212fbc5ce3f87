// From a padded batch to rows laid end to end.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/t5/fast_stacks.h"

namespace softprompt {

// mask [B, S] bool. Rows are laid by length, so that equally long ones stand side by side. Nothing where a row is empty
// or its real positions are not its first ones.
std::optional<Packing> packingOf(const at::Tensor& mask);

}  // namespace softprompt
