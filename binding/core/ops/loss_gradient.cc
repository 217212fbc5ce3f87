#include "core/ops/loss_gradient.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

struct RowLoss {
  float logSumExp, target, sum;
};

template <class T>
SOFTPROMPT_INLINE RowLoss lossBody(const T* row, int64_t size, int64_t target) {
  float highest = -std::numeric_limits<float>::infinity(), all = 0;
#pragma omp simd reduction(max : highest) reduction(+ : all)
  for (int64_t i = 0; i < size; ++i) {
    const float x = simd::toFloat(row[i]);
    highest = x > highest ? x : highest;
    all += x;
  }
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += simd::exp(simd::toFloat(row[i]) - highest);
  return {highest + std::log(sum), simd::toFloat(row[target]), all};
}

// row = softmax(row) times `factor` - `less`
template <class T>
SOFTPROMPT_INLINE void gradientBody(T* row, int64_t size, float logSumExp, float factor, float less) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    simd::store(row + i, simd::exp(simd::toFloat(row[i]) - logSumExp) * factor - less);
  }
}

SOFTPROMPT_CLONES RowLoss lossOf(const float* row, int64_t size, int64_t target) {
  return lossBody(row, size, target);
}
SOFTPROMPT_CLONES RowLoss lossOf(const uint16_t* row, int64_t size, int64_t target) {
  return lossBody(row, size, target);
}
SOFTPROMPT_CLONES void toGradient(float* row, int64_t size, float logSumExp, float factor, float less) {
  gradientBody(row, size, logSumExp, factor, less);
}
SOFTPROMPT_CLONES void toGradient(uint16_t* row, int64_t size, float logSumExp, float factor, float less) {
  gradientBody(row, size, logSumExp, factor, less);
}

template <class T>
LossSums gradientOf(T* logits, const at::Tensor& targets, int64_t size, const LossRule& rule) {
  const int64_t rows = targets.size(0);
  const int64_t* target = targets.const_data_ptr<int64_t>();
  const double even = rule.labelSmoothing / static_cast<double>(size);
  std::vector<LossSums> losses(rows);
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* row = logits + i * size;
      const RowLoss loss = lossOf(row, size, target[i]);
      const double z = loss.logSumExp;
      losses[i].negativeLogProb = z - loss.target;
      losses[i].loss = z - (1 - rule.labelSmoothing) * loss.target - even * loss.sum + rule.zLoss * z * z;
      const double factor = rule.scale * (1 + 2 * rule.zLoss * z);
      const double atTarget = factor * std::exp(loss.target - z) - rule.scale * (even + 1 - rule.labelSmoothing);
      toGradient(row, size, loss.logSumExp, static_cast<float>(factor), static_cast<float>(rule.scale * even));
      simd::store(row + target[i], static_cast<float>(atTarget));
    }
  });
  LossSums sums;
  for (const LossSums& loss : losses) {
    sums.loss += loss.loss;
    sums.negativeLogProb += loss.negativeLogProb;
  }
  return sums;
}

}  // namespace

LossSums lossGradient(at::Tensor& logits, const at::Tensor& targets, const LossRule& rule) {
  const int64_t size = logits.size(1);
  if (logits.scalar_type() == at::kFloat) return gradientOf(logits.mutable_data_ptr<float>(), targets, size, rule);
  return gradientOf(reinterpret_cast<uint16_t*>(logits.mutable_data_ptr<at::BFloat16>()), targets, size, rule);
}

}  // namespace softprompt
