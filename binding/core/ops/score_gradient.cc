#include "core/ops/score_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

namespace softprompt {
namespace {

// The `part`th i columns of a group's tokens, float32 [rows, H, length, K].
at::Tensor headsOf(const at::Tensor& tokens, const RowGroup& group, int64_t part, HeadShape shape) {
  return tokens.narrow(0, group.offset, group.tokens())
      .narrow(1, part * shape.inner(), shape.inner())
      .unflatten(0, {group.rows, group.length})
      .unflatten(2, {shape.heads, shape.size})
      .transpose(1, 2)
      .to(at::kFloat);
}

}  // namespace

void addScoreGradients(const at::Tensor& gradient, const at::Tensor& qkv, const std::vector<RowGroup>& groups,
                       const at::Tensor& bias, HeadShape shape, const at::Tensor& distances) {
  const int64_t middle = distances.size(1) / 2;
  for (const RowGroup& group : groups) {
    const auto part = [&](int64_t i) { return headsOf(qkv, group, i, shape); };
    at::Tensor scores = at::matmul(part(0), part(1).transpose(2, 3));
    if (bias.defined()) scores = scores + bias.narrow(2, 0, group.length).narrow(3, 0, group.length);
    const at::Tensor p = at::softmax(scores, 3);
    const at::Tensor dp = at::matmul(headsOf(gradient, group, 0, shape), part(2).transpose(2, 3));
    const at::Tensor ds = (p * (dp - (p * dp).sum(3, /*keepdim=*/true))).sum(0);  // [H, length, length]
    const at::Tensor place = at::arange(group.length, distances.options().dtype(at::kLong));
    const at::Tensor index = place.unsqueeze(0) - place.unsqueeze(1) + middle;
    at::Tensor(distances).index_add_(1, index.flatten(), ds.flatten(1, 2));
  }
}

}  // namespace softprompt
