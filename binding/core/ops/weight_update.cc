#include "core/ops/weight_update.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops/simd.h"

namespace softprompt {
namespace {

constexpr int64_t kGrain = 1 << 15;  // numbers that are worth a thread
constexpr int64_t kStretch = 4096;   // numbers that are summed in float32
constexpr int64_t kBlock = 64;       // rows whose columns are summed in float32

SOFTPROMPT_CLONES float squaresOf(const float* x, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

// The same, and adds each square to its column.
SOFTPROMPT_CLONES float squaresOf(const float* x, int64_t n, float* columns) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const float square = x[i] * x[i];
    columns[i] += square;
    sum += square;
  }
  return sum;
}

SOFTPROMPT_CLONES float productSquares(const float* x, const float* y, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i] * x[i] * y[i];
  return sum;
}

// p = keep p - rate g y
SOFTPROMPT_CLONES void subtractProduct(float* p, const float* g, const float* y, int64_t n, float keep, float rate) {
  for (int64_t i = 0; i < n; ++i) p[i] = keep * p[i] - rate * g[i] * y[i];
}

SOFTPROMPT_CLONES float decayed(float* v, const float* g, int64_t n, float scale, float decay, float fresh,
                                float epsilon) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const float x = scale * g[i], square = x * x + epsilon;
    v[i] = decay * v[i] + fresh * square;
    sum += x * x / v[i];
  }
  return sum;
}

SOFTPROMPT_CLONES void subtractRooted(float* p, const float* g, const float* v, int64_t n, float keep, float rate) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) p[i] = keep * p[i] - rate * g[i] / std::sqrt(v[i]);
}

struct AdamNumbers {
  float scale, beta1, fresh1, beta2, fresh2, squareScale, epsilon, keep, rate;
};
SOFTPROMPT_CLONES void adam(float* p, const float* g, float* m, float* v, int64_t n, AdamNumbers a) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float x = a.scale * g[i];
    m[i] = a.beta1 * m[i] + a.fresh1 * x;
    v[i] = a.beta2 * v[i] + a.fresh2 * x * x;
    p[i] = a.keep * p[i] - a.rate * m[i] / (std::sqrt(v[i] * a.squareScale) + a.epsilon);
  }
}

// The sum of work(from, to) over [0, n) in stretches, threads in their order.
template <class Work>
double summed(int64_t n, int64_t stretch, int64_t grain, const Work& work) {
  std::vector<double> sums(at::get_num_threads(), 0.0);
  at::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t from = begin; from < end; from += stretch) sum += work(from, std::min(from + stretch, end));
    sums[at::get_thread_num()] += sum;
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

float asFloat(double value) {
  return static_cast<float>(value);
}

int64_t rowGrain(int64_t columns) {
  return std::max<int64_t>(1, kGrain / columns);
}

}  // namespace

double sumOfSquares(const at::Tensor& values) {
  const float* x = values.const_data_ptr<float>();
  return summed(values.numel(), kStretch, kGrain,
                [&](int64_t from, int64_t to) { return static_cast<double>(squaresOf(x + from, to - from)); });
}

SquareSums squareSums(const at::Tensor& gradient) {
  const int64_t rows = gradient.size(0), columns = gradient.size(1);
  const at::Tensor rowSums = at::zeros({rows}, at::kDouble);
  const at::Tensor columnSums = at::zeros({at::get_num_threads(), columns}, at::kDouble);
  const float* g = gradient.const_data_ptr<float>();
  double *toRow = rowSums.mutable_data_ptr<double>(), *toColumns = columnSums.mutable_data_ptr<double>();
  at::parallel_for(0, rows, rowGrain(columns), [&](int64_t begin, int64_t end) {
    std::vector<float> block(columns);
    double* to = toColumns + at::get_thread_num() * columns;
    for (int64_t from = begin; from < end; from += kBlock) {
      std::fill(block.begin(), block.end(), 0.0f);
      for (int64_t i = from; i < std::min(from + kBlock, end); ++i) {
        toRow[i] = squaresOf(g + i * columns, columns, block.data());
      }
      for (int64_t j = 0; j < columns; ++j) to[j] += block[j];
    }
  });
  return {rowSums, columnSums.sum(0)};
}

double factoredSquares(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns) {
  const int64_t width = gradient.size(1);
  const float *g = gradient.const_data_ptr<float>(), *row = rows.const_data_ptr<float>();
  const float* column = columns.const_data_ptr<float>();
  return summed(gradient.size(0), 1, rowGrain(width), [&](int64_t i, int64_t) {
    const double factor = row[i];
    return factor * factor * productSquares(g + i * width, column, width);
  });
}

void subtractFactored(const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& rows,
                      const at::Tensor& columns, double keep, double rate) {
  const int64_t width = gradient.size(1);
  float* p = weight.mutable_data_ptr<float>();
  const float *g = gradient.const_data_ptr<float>(), *row = rows.const_data_ptr<float>();
  const float* column = columns.const_data_ptr<float>();
  at::parallel_for(0, gradient.size(0), rowGrain(width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      subtractProduct(p + i * width, g + i * width, column, width, asFloat(keep), asFloat(rate * row[i]));
    }
  });
}

double decaySquares(const at::Tensor& squares, const at::Tensor& gradient, double scale, double decay, double epsilon) {
  float* v = squares.mutable_data_ptr<float>();
  const float* g = gradient.const_data_ptr<float>();
  return summed(gradient.numel(), kStretch, kGrain, [&](int64_t from, int64_t to) {
    return static_cast<double>(
        decayed(v + from, g + from, to - from, asFloat(scale), asFloat(decay), asFloat(1 - decay), asFloat(epsilon)));
  });
}

void subtractScaled(const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& squares, double scale,
                    double keep, double rate) {
  float* p = weight.mutable_data_ptr<float>();
  const float *g = gradient.const_data_ptr<float>(), *v = squares.const_data_ptr<float>();
  at::parallel_for(0, gradient.numel(), kGrain, [&](int64_t from, int64_t to) {
    subtractRooted(p + from, g + from, v + from, to - from, asFloat(keep), asFloat(rate * scale));
  });
}

void adamStep(const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& mean, const at::Tensor& squares,
              const AdamStep& step) {
  const AdamNumbers numbers{asFloat(step.scale),   asFloat(step.beta1),     asFloat(1 - step.beta1),
                            asFloat(step.beta2),   asFloat(1 - step.beta2), asFloat(step.squareScale),
                            asFloat(step.epsilon), asFloat(step.keep),      asFloat(step.rate)};
  float *p = weight.mutable_data_ptr<float>(), *m = mean.mutable_data_ptr<float>();
  float* v = squares.mutable_data_ptr<float>();
  const float* g = gradient.const_data_ptr<float>();
  at::parallel_for(0, gradient.numel(), kGrain,
                   [&](int64_t from, int64_t to) { adam(p + from, g + from, m + from, v + from, to - from, numbers); });
}

}  // namespace softprompt
