// attention.h by LibTorch's flash kernel, a group of equally long rows at a time, in float32: for processors without
// AVX-512.
#pragma once

#include "core/ops/attention.h"

namespace softprompt {

Attended flashSelfAttention(const at::Tensor& qkv, const std::vector<RowGroup>& groups, const at::Tensor& bias,
                            HeadShape shape);
at::Tensor flashSelfAttentionBackward(const at::Tensor& gradient, const at::Tensor& qkv, const Attended& attended,
                                      const std::vector<RowGroup>& groups, const at::Tensor& bias, HeadShape shape);
Attended flashCrossAttention(const at::Tensor& q, const at::Tensor& kv, const std::vector<RowGroup>& groups,
                             int64_t queries, HeadShape shape);
at::Tensor flashCrossAttentionBackward(const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& kv,
                                       const Attended& attended, const std::vector<RowGroup>& groups, int64_t queries,
                                       HeadShape shape, at::Tensor kvGradient);

}  // namespace softprompt
