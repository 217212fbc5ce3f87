#include "core/ops/vocabulary.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kStretch = 64;  // scores that are looked at together

SOFTPROMPT_INLINE float highestOf(const float* row, int64_t size) {
  float highest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : highest)
  for (int64_t i = 0; i < size; ++i) highest = row[i] > highest ? row[i] : highest;
  return highest;
}

SOFTPROMPT_INLINE LogSum partOf(const float* row, int64_t size) {
  const float highest = highestOf(row, size);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += simd::exp(row[i] - highest);
  return {highest, sum};
}

SOFTPROMPT_CLONES float logSumExpOf(const float* row, int64_t size) {
  const LogSum all = partOf(row, size);
  return all.highest + std::log(all.sum);
}

// Keeps `best` sorted, the best first.
void insert(std::vector<int32_t>& best, size_t count, const float* row, int32_t id) {
  const auto place = std::upper_bound(best.begin(), best.end(), row[id],
                                      [&](float score, int32_t other) { return score > row[other]; });
  best.insert(place, id);
  if (best.size() > count) best.pop_back();
}

SOFTPROMPT_CLONES void bestOf(const float* row, int64_t size, size_t count, std::vector<int32_t>& best) {
  int64_t i = 0;
  for (; i < std::min<int64_t>(size, static_cast<int64_t>(count)); ++i)
    insert(best, count, row, static_cast<int32_t>(i));
  while (i < size) {
    const int64_t end = std::min(size, i + kStretch);
    if (highestOf(row + i, end - i) > row[best.back()]) {
      for (int64_t j = i; j < end; ++j)
        if (row[j] > row[best.back()]) insert(best, count, row, static_cast<int32_t>(j));
    }
    i = end;
  }
}

}  // namespace

SOFTPROMPT_CLONES LogSum logSumOf(const float* part, int64_t size) {
  return partOf(part, size);
}

float logOf(std::span<const LogSum> parts) {
  LogSum all = parts[0];
  for (const LogSum& part : parts.subspan(1)) {
    const float highest = std::max(all.highest, part.highest);
    all = {highest, all.sum * std::exp(all.highest - highest) + part.sum * std::exp(part.highest - highest)};
  }
  return all.highest + std::log(all.sum);
}

at::Tensor logSumExp(const at::Tensor& logits) {
  if (!logits.is_cpu()) return at::logsumexp(logits, 1);
  const at::Tensor rows = logits.contiguous();
  at::Tensor out = at::empty({rows.size(0)}, rows.options());
  const float* from = rows.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  at::parallel_for(0, rows.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) to[row] = logSumExpOf(from + row * rows.size(1), rows.size(1));
  });
  return out;
}

std::vector<std::vector<int32_t>> bestIds(const at::Tensor& scores, int64_t count) {
  const int64_t rows = scores.size(0), size = scores.size(1);
  std::vector<std::vector<int32_t>> out(rows);
  if (!scores.is_cpu()) {
    const at::Tensor ids = std::get<1>(at::topk(scores, std::min(count, size), 1)).cpu();
    const int64_t* id = ids.const_data_ptr<int64_t>();
    for (std::vector<int32_t>& row : out)
      for (int64_t i = 0; i < ids.size(1); ++i) row.push_back(static_cast<int32_t>(*id++));
    return out;
  }
  const float* from = scores.const_data_ptr<float>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) bestOf(from + row * size, size, static_cast<size_t>(count), out[row]);
  });
  return out;
}

}  // namespace softprompt
