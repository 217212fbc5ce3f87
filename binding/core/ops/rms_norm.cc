#include "core/ops/rms_norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements that are worth a thread

struct Rows {
  int64_t from, to, width;
};

template <class T>
SOFTPROMPT_INLINE void normBody(Rows rows, const float* hidden, const T* weight, float epsilon, T* value,
                                float* inverse) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const float* x = hidden + row * rows.width;
    T* y = value + row * rows.width;
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < rows.width; ++i) squares += x[i] * x[i];
    const float r = 1.0f / std::sqrt(squares / static_cast<float>(rows.width) + epsilon);
    if (inverse) inverse[row] = r;
#pragma omp simd
    for (int64_t i = 0; i < rows.width; ++i) simd::store(y + i, x[i] * r * simd::toFloat(weight[i]));
  }
}

SOFTPROMPT_CLONES void norm(Rows rows, const float* hidden, const float* weight, float epsilon, float* value,
                            float* inverse) {
  normBody(rows, hidden, weight, epsilon, value, inverse);
}
SOFTPROMPT_CLONES void norm(Rows rows, const float* hidden, const uint16_t* weight, float epsilon, uint16_t* value,
                            float* inverse) {
  normBody(rows, hidden, weight, epsilon, value, inverse);
}

template <class T>
SOFTPROMPT_INLINE void backwardBody(Rows rows, const T* gradient, const float* hidden, const T* weight,
                                    const float* inverse, float* out) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const float* x = hidden + row * rows.width;
    const T* g = gradient + row * rows.width;
    float* to = out + row * rows.width;
    float product = 0;
#pragma omp simd reduction(+ : product)
    for (int64_t i = 0; i < rows.width; ++i) product += simd::toFloat(g[i]) * simd::toFloat(weight[i]) * x[i];
    const float r = inverse[row], along = product * r * r / static_cast<float>(rows.width);
#pragma omp simd
    for (int64_t i = 0; i < rows.width; ++i) {
      to[i] += r * (simd::toFloat(g[i]) * simd::toFloat(weight[i]) - x[i] * along);
    }
  }
}

SOFTPROMPT_CLONES void backward(Rows rows, const float* gradient, const float* hidden, const float* weight,
                                const float* inverse, float* out) {
  backwardBody(rows, gradient, hidden, weight, inverse, out);
}
SOFTPROMPT_CLONES void backward(Rows rows, const uint16_t* gradient, const float* hidden, const uint16_t* weight,
                                const float* inverse, float* out) {
  backwardBody(rows, gradient, hidden, weight, inverse, out);
}

template <class T>
Normed normOf(const at::Tensor& hidden, const at::Tensor& weight, double epsilon) {
  using Bits = typename simd::Bits<T>::type;
  const int64_t rows = hidden.size(0), width = hidden.size(1);
  Normed out{at::empty({rows, width}, weight.options()), at::empty({rows}, hidden.options())};
  const float* from = hidden.const_data_ptr<float>();
  const auto* scale = reinterpret_cast<const Bits*>(weight.const_data_ptr<T>());
  auto* value = reinterpret_cast<Bits*>(out.value.mutable_data_ptr<T>());
  float* inverse = out.inverse.mutable_data_ptr<float>();
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    norm({begin, end, width}, from, scale, static_cast<float>(epsilon), value, inverse);
  });
  return out;
}

template <class T>
void addGradient(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& weight,
                 const at::Tensor& inverse, at::Tensor& hiddenGradient) {
  using Bits = typename simd::Bits<T>::type;
  const int64_t rows = hidden.size(0), width = hidden.size(1);
  const auto* from = reinterpret_cast<const Bits*>(gradient.const_data_ptr<T>());
  const auto* scale = reinterpret_cast<const Bits*>(weight.const_data_ptr<T>());
  const float* x = hidden.const_data_ptr<float>();
  const float* r = inverse.const_data_ptr<float>();
  float* to = hiddenGradient.mutable_data_ptr<float>();
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
    backward({begin, end, width}, from, x, scale, r, to);
  });
}

}  // namespace

Normed rmsNorm(const at::Tensor& hidden, const at::Tensor& weight, double epsilon) {
  return weight.scalar_type() == at::kFloat ? normOf<float>(hidden, weight, epsilon)
                                            : normOf<at::BFloat16>(hidden, weight, epsilon);
}

void rmsNorm(const NormRows& rows, const float* weight, float* value) {
  norm({0, rows.rows, rows.width}, rows.hidden, weight, rows.epsilon, value, nullptr);
}
void rmsNorm(const NormRows& rows, const uint16_t* weight, uint16_t* value) {
  norm({0, rows.rows, rows.width}, rows.hidden, weight, rows.epsilon, value, nullptr);
}

void rmsNormBackward(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& weight,
                     const at::Tensor& inverse, at::Tensor& hiddenGradient) {
  if (weight.scalar_type() == at::kFloat) {
    addGradient<float>(gradient, hidden, weight, inverse, hiddenGradient);
  } else {
    addGradient<at::BFloat16>(gradient, hidden, weight, inverse, hiddenGradient);
  }
}

}  // namespace softprompt
