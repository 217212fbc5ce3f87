#include "core/ops/weight_gradient.h"

#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements that are worth a thread
constexpr int64_t kColumns = 64;     // of a row that are worth a thread

struct Rows {
  int64_t from, to, width;
};

template <class T>
SOFTPROMPT_INLINE void normBody(Rows rows, const T* gradient, const float* hidden, const float* inverse, float* sum) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const T* g = gradient + row * rows.width;
    const float* x = hidden + row * rows.width;
    const float r = inverse[row];
#pragma omp simd
    for (int64_t i = 0; i < rows.width; ++i) sum[i] += simd::toFloat(g[i]) * x[i] * r;
  }
}
SOFTPROMPT_CLONES void norm(Rows rows, const float* gradient, const float* hidden, const float* inverse, float* sum) {
  normBody(rows, gradient, hidden, inverse, sum);
}
SOFTPROMPT_CLONES void norm(Rows rows, const uint16_t* gradient, const float* hidden, const float* inverse,
                            float* sum) {
  normBody(rows, gradient, hidden, inverse, sum);
}

template <class T>
void normSums(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& inverse) {
  using Bits = typename simd::Bits<T>::type;
  const int64_t rows = hidden.size(0), width = hidden.size(1);
  at::Tensor sums = at::zeros({at::get_num_threads(), width}, sum.options());
  const auto* g = reinterpret_cast<const Bits*>(gradient.const_data_ptr<T>());
  const float *x = hidden.const_data_ptr<float>(), *r = inverse.const_data_ptr<float>();
  float* to = sums.mutable_data_ptr<float>();
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    norm({begin, end, width}, g, x, r, to + at::get_thread_num() * width);
  });
  at::Tensor(sum).add_(sums.sum(0));
}

SOFTPROMPT_CLONES void addRow(float* to, const float* from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += from[i];
}

}  // namespace

void addProductGradient(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& x) {
  if (gradient.scalar_type() == at::kFloat) {
    at::Tensor(sum).addmm_(gradient.t(), x);
  } else {
    at::Tensor(sum).add_(at::mm(gradient.t(), x));
  }
}

void addNormGradient(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& hidden,
                     const at::Tensor& inverse) {
  (gradient.scalar_type() == at::kFloat ? normSums<float> : normSums<at::BFloat16>)(sum, gradient, hidden, inverse);
}

void addEmbeddingGradient(const at::Tensor& sum, const at::Tensor& gradient, const at::Tensor& ids) {
  const int64_t n = ids.size(0), width = sum.size(1);
  float* to = sum.mutable_data_ptr<float>();
  const float* from = gradient.const_data_ptr<float>();
  const int64_t* id = ids.const_data_ptr<int64_t>();
  at::parallel_for(0, width, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) addRow(to + id[i] * width + begin, from + i * width + begin, end - begin);
  });
}

}  // namespace softprompt
