#include "core/ops/attention_flash.h"

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <optional>
#include <tuple>

namespace softprompt {
namespace {

using Mask = std::optional<at::Tensor>;

// The `part`th i columns of a group's tokens as [rows, H, length, K], a view.
at::Tensor viewOf(const at::Tensor& tokens, int64_t offset, int64_t rows, int64_t length, int64_t part,
                  HeadShape shape) {
  return tokens.narrow(0, offset, rows * length)
      .narrow(1, part * shape.inner(), shape.inner())
      .unflatten(0, {rows, length})
      .unflatten(2, {shape.heads, shape.size})
      .transpose(1, 2);
}

// The same in float32: the kernel is several times slower in bfloat16, its backward most of all.
at::Tensor headsOf(const at::Tensor& tokens, int64_t offset, int64_t rows, int64_t length, int64_t part,
                   HeadShape shape) {
  return viewOf(tokens, offset, rows, length, part, shape).to(at::kFloat);
}

Mask biasOf(const at::Tensor& bias, const RowGroup& group) {
  if (!bias.defined()) return std::nullopt;
  return bias.narrow(2, 0, group.length)
      .narrow(3, 0, group.length)
      .expand({group.rows, bias.size(1), group.length, group.length});
}

void attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Mask& mask, at::Tensor out,
            Attended& attended) {
  auto [context, logSumExp] = at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, false, mask, 1.0);
  out.copy_(context);
  attended.groups.push_back({std::move(context), std::move(logSumExp)});
}

auto attendBackward(const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const Attended::Group& kept, const Mask& mask) {
  return at::_scaled_dot_product_flash_attention_for_cpu_backward(gradient, q, k, v, kept.context, kept.logSumExp, 0.0,
                                                                  false, mask, 1.0);
}

}  // namespace

Attended flashSelfAttention(const at::Tensor& qkv, const std::vector<RowGroup>& groups, const at::Tensor& bias,
                            HeadShape shape) {
  Attended attended{at::empty({qkv.size(0), shape.inner()}, qkv.options()), {}, {}};
  for (const RowGroup& g : groups) {
    const auto part = [&](const at::Tensor& tokens, int64_t i) {
      return headsOf(tokens, g.offset, g.rows, g.length, i, shape);
    };
    attend(part(qkv, 0), part(qkv, 1), part(qkv, 2), biasOf(bias, g),
           viewOf(attended.out, g.offset, g.rows, g.length, 0, shape), attended);
  }
  return attended;
}

at::Tensor flashSelfAttentionBackward(const at::Tensor& gradient, const at::Tensor& qkv, const Attended& attended,
                                      const std::vector<RowGroup>& groups, const at::Tensor& bias, HeadShape shape) {
  at::Tensor out = at::empty_like(qkv);
  for (size_t i = 0; i < groups.size(); ++i) {
    const RowGroup& g = groups[i];
    const auto part = [&](const at::Tensor& tokens, int64_t j) {
      return headsOf(tokens, g.offset, g.rows, g.length, j, shape);
    };
    const auto [dq, dk, dv] = attendBackward(part(gradient, 0), part(qkv, 0), part(qkv, 1), part(qkv, 2),
                                             attended.groups[i], biasOf(bias, g));
    const auto place = [&](int64_t j) { return viewOf(out, g.offset, g.rows, g.length, j, shape); };
    place(0).copy_(dq);
    place(1).copy_(dk);
    place(2).copy_(dv);
  }
  return out;
}

Attended flashCrossAttention(const at::Tensor& q, const at::Tensor& kv, const std::vector<RowGroup>& groups,
                             int64_t queries, HeadShape shape) {
  Attended attended{at::empty_like(q), {}, {}};
  for (const RowGroup& g : groups) {
    const auto query = [&](const at::Tensor& tokens) {
      return headsOf(tokens, g.row * queries, g.rows, queries, 0, shape);
    };
    const auto key = [&](int64_t part) { return headsOf(kv, g.offset, g.rows, g.length, part, shape); };
    attend(query(q), key(0), key(1), std::nullopt, viewOf(attended.out, g.row * queries, g.rows, queries, 0, shape),
           attended);
  }
  return attended;
}

at::Tensor flashCrossAttentionBackward(const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& kv,
                                       const Attended& attended, const std::vector<RowGroup>& groups, int64_t queries,
                                       HeadShape shape, at::Tensor kvGradient) {
  at::Tensor out = at::empty_like(q);
  for (size_t i = 0; i < groups.size(); ++i) {
    const RowGroup& g = groups[i];
    const auto query = [&](const at::Tensor& tokens) {
      return headsOf(tokens, g.row * queries, g.rows, queries, 0, shape);
    };
    const auto key = [&](const at::Tensor& tokens, int64_t part) {
      return headsOf(tokens, g.offset, g.rows, g.length, part, shape);
    };
    const auto [dq, dk, dv] =
        attendBackward(query(gradient), query(q), key(kv, 0), key(kv, 1), attended.groups[i], std::nullopt);
    viewOf(out, g.row * queries, g.rows, queries, 0, shape).copy_(dq);
    viewOf(kvGradient, g.offset, g.rows, g.length, 0, shape).copy_(dk);
    viewOf(kvGradient, g.offset, g.rows, g.length, 1, shape).copy_(dv);
  }
  return out;
}

}  // namespace softprompt
