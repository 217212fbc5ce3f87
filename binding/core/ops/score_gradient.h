// The gradient of attention's scores by their plain formula, with all of them in memory: the reference of our kernel's,
// and what stands beside LibTorch's kernel, which gives none.
#pragma once

#include "core/ops/attention.h"

namespace softprompt {

// As selfAttentionBackward's `distances`: with P the softmax's numbers and dP the gradient at them,
// P (dP - sum over the keys of P dP), summed along the diagonals and over the rows.
void addScoreGradients(const at::Tensor& gradient, const at::Tensor& qkv, const std::vector<RowGroup>& groups,
                       const at::Tensor& bias, HeadShape shape, const at::Tensor& distances);

}  // namespace softprompt
