// Dropout on tokens without padding: multiplication by masks that a row's tokens share, as T5X shares them over the
// length. In place; a backward pass does the same to the gradient.
//
// Letters: N tokens of all rows, B rows, w numbers a token, H heads.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/ops/attention.h"
#include "core/ops/row_groups.h"

namespace softprompt {

// tokens [N, w], contiguous, float32 or bfloat16; masks float32 [B, w], of the rows in the groups' order.
void maskRows(const at::Tensor& tokens, const at::Tensor& masks, const std::vector<RowGroup>& groups);

// tokens [N, i], rows may be strided; masks float32 [N, H], a number a token and head.
void maskHeads(const at::Tensor& tokens, const at::Tensor& masks, HeadShape shape);

}  // namespace softprompt
