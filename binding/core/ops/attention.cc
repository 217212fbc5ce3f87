#include "core/ops/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "core/ops/attention_flash.h"
#include "core/ops/attention_rows.h"
#include "core/ops/score_gradient.h"

namespace softprompt {
namespace {

// The `part`th i columns.
at::Tensor partOf(const at::Tensor& tokens, int64_t part, HeadShape shape) {
  return tokens.narrow(1, part * shape.inner(), shape.inner());
}

// `queries` of each row, 0: as many as keys.
std::vector<AttentionRow> rowsOf(const std::vector<RowGroup>& groups, int64_t queries) {
  std::vector<AttentionRow> rows;
  for (const RowGroup& g : groups) {
    for (int64_t i = 0; i < g.rows; ++i) {
      const int64_t key = g.offset + i * g.length;
      rows.push_back({queries > 0 ? (g.row + i) * queries : key, queries > 0 ? queries : g.length, key, g.length});
    }
  }
  return rows;
}

const at::Tensor& withEmptyTail(const at::Tensor& tokens, const std::vector<RowGroup>& groups) {
  const int64_t real = tokensOf(groups);
  if (real < tokens.size(0)) tokens.narrow(0, real, tokens.size(0) - real).zero_();
  return tokens;
}

AttentionInputs selfInputs(const at::Tensor& qkv, const std::vector<RowGroup>& groups, const at::Tensor& bias,
                           HeadShape shape) {
  return {partOf(qkv, 0, shape), partOf(qkv, 1, shape), partOf(qkv, 2, shape), bias, rowsOf(groups, 0), shape};
}

AttentionInputs crossInputs(const at::Tensor& q, const at::Tensor& kv, const std::vector<RowGroup>& groups,
                            int64_t queries, HeadShape shape) {
  return {q, partOf(kv, 0, shape), partOf(kv, 1, shape), {}, rowsOf(groups, queries), shape};
}

}  // namespace

Attended selfAttention(const at::Tensor& qkv, const std::vector<RowGroup>& groups, const at::Tensor& bias,
                       HeadShape shape) {
  if (!hasRowAttention(qkv.scalar_type(), shape.size)) {
    Attended attended = flashSelfAttention(qkv, groups, bias, shape);
    withEmptyTail(attended.out, groups);
    return attended;
  }
  const at::Tensor out = at::empty({qkv.size(0), shape.inner()}, qkv.options());
  return {withEmptyTail(out, groups), attendRows(selfInputs(qkv, groups, bias, shape), out), {}};
}

at::Tensor selfAttentionBackward(const at::Tensor& gradient, const at::Tensor& qkv, const Attended& attended,
                                 const std::vector<RowGroup>& groups, const at::Tensor& bias, HeadShape shape,
                                 const at::Tensor& distances) {
  if (!attended.logSumExp.defined()) {
    if (distances.defined()) addScoreGradients(gradient, qkv, groups, bias, shape, distances);
    return withEmptyTail(flashSelfAttentionBackward(gradient, qkv, attended, groups, bias, shape), groups);
  }
  const at::Tensor out = at::empty_like(qkv);
  attendRowsBackward(selfInputs(qkv, groups, bias, shape), gradient, attended.logSumExp,
                     {partOf(out, 0, shape), partOf(out, 1, shape), partOf(out, 2, shape), distances});
  return withEmptyTail(out, groups);
}

Attended crossAttention(const at::Tensor& q, const at::Tensor& kv, const std::vector<RowGroup>& groups, int64_t queries,
                        HeadShape shape) {
  if (!hasRowAttention(q.scalar_type(), shape.size)) return flashCrossAttention(q, kv, groups, queries, shape);
  const at::Tensor out = at::empty_like(q);
  return {out, attendRows(crossInputs(q, kv, groups, queries, shape), out), {}};
}

at::Tensor crossAttentionBackward(const at::Tensor& gradient, const at::Tensor& q, const at::Tensor& kv,
                                  const Attended& attended, const std::vector<RowGroup>& groups, int64_t queries,
                                  HeadShape shape, at::Tensor kvGradient) {
  withEmptyTail(kvGradient, groups);
  if (!attended.logSumExp.defined())
    return flashCrossAttentionBackward(gradient, q, kv, attended, groups, queries, shape, kvGradient);
  const at::Tensor out = at::empty_like(q);
  attendRowsBackward(crossInputs(q, kv, groups, queries, shape), gradient, attended.logSumExp,
                     {out, partOf(kvGradient, 0, shape), partOf(kvGradient, 1, shape), {}});
  return out;
}

}  // namespace softprompt
