#include "core/ops/attention_rows.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SOFTPROMPT_ROW_ATTENTION 1
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // of GCC's own headers, wrongly
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,prefer-vector-width=512")
#include "core/ops/attention_kernel.h"
#pragma GCC pop_options
#endif

namespace softprompt {

#ifdef SOFTPROMPT_ROW_ATTENTION

namespace {

constexpr int64_t kGrain = 1 << 15;  // products of a query and a key that are worth a thread

bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

template <class N>
Heads<N> headsOf(const at::Tensor& tokens) {
  using Number = typename N::Number;
  return {static_cast<Number*>(const_cast<void*>(tokens.const_data_ptr())), tokens.stride(0)};
}

BiasView biasOf(const at::Tensor& bias) {
  if (!bias.defined()) return {};
  return {bias.const_data_ptr<float>(), bias.stride(1), bias.stride(2)};
}

// The kernel of each row and head in turn, on the model's threads.
template <class N>
class Kernels {
 public:
  Kernels(const AttentionInputs& inputs, const at::Tensor& logSumExp)
      : inputs_(inputs),
        q_(headsOf<N>(inputs.q)),
        k_(headsOf<N>(inputs.k)),
        v_(headsOf<N>(inputs.v)),
        bias_(biasOf(inputs.bias)),
        sums_(const_cast<float*>(logSumExp.const_data_ptr<float>())),
        tokens_(logSumExp.size(1)) {}

  // work(kernel, row, head, scratch). A head's rows stand side by side, so that threads get equal shares of long ones.
  template <class Work>
  void forEach(const Work& work) const {
    const auto rows = static_cast<int64_t>(inputs_.rows.size());
    int64_t products = 1;
    for (const AttentionRow& row : inputs_.rows) products = std::max(products, row.queries * row.keys);
    at::parallel_for(0, rows * inputs_.shape.heads, std::max<int64_t>(1, kGrain / products),
                     [&](int64_t begin, int64_t end) {
                       static thread_local Scratch scratch;
                       for (int64_t i = begin; i < end; ++i) {
                         const AttentionRow& row = inputs_.rows[i % rows];
                         work(kernel(row, i / rows), row, i / rows, scratch);
                       }
                     });
  }

 private:
  AttentionKernel<N> kernel(const AttentionRow& row, int64_t head) const {
    const int64_t size = inputs_.shape.size;
    return {q_.of(row.query, head, size),
            k_.of(row.key, head, size),
            v_.of(row.key, head, size),
            bias_.of(head),
            row.queries,
            row.keys,
            size,
            sums_ + head * tokens_ + row.query};
  }

  const AttentionInputs& inputs_;
  Heads<N> q_, k_, v_;
  BiasView bias_;
  float* sums_;  // [H, tokens]
  int64_t tokens_;
};

template <class N>
void attend(const AttentionInputs& inputs, const at::Tensor& out, const at::Tensor& logSumExp) {
  const Heads<N> to = headsOf<N>(out);
  Kernels<N>(inputs, logSumExp)
      .forEach([&](AttentionKernel<N> kernel, const AttentionRow& row, int64_t head, Scratch& scratch) {
        kernel.forward(to.of(row.query, head, kernel.size), scratch);
      });
}

// Of each thread its own sums of the bias's gradient, so that their order is the same in every run.
class DistanceSums {
 public:
  explicit DistanceSums(const at::Tensor& distances) : distances_(distances) {
    if (distances.defined()) sums_ = at::zeros({at::get_num_threads(), distances.size(0), distances.size(1)});
  }

  // Of this thread and head, at distance 0.
  float* of(int64_t head) {
    if (!sums_.defined()) return nullptr;
    const int64_t heads = sums_.size(1), width = sums_.size(2);
    return sums_.mutable_data_ptr<float>() + (at::get_thread_num() * heads + head) * width + width / 2;
  }
  void finish() {
    for (int64_t thread = 0; sums_.defined() && thread < sums_.size(0); ++thread) distances_.add_(sums_[thread]);
  }

 private:
  at::Tensor distances_, sums_;
};

template <class N>
void attendBackward(const AttentionInputs& inputs, const at::Tensor& gradient, const at::Tensor& logSumExp,
                    const AttentionGradients& to) {
  const Heads<N> from = headsOf<N>(gradient), q = headsOf<N>(to.q), k = headsOf<N>(to.k), v = headsOf<N>(to.v);
  DistanceSums distances(to.distances);
  Kernels<N>(inputs, logSumExp)
      .forEach([&](AttentionKernel<N> kernel, const AttentionRow& row, int64_t head, Scratch& scratch) {
        const auto of = [&](const Heads<N>& all, int64_t token) { return all.of(token, head, kernel.size); };
        kernel.backward(of(from, row.query), of(q, row.query), of(k, row.key), of(v, row.key), distances.of(head),
                        scratch);
      });
  distances.finish();
}

}  // namespace

bool hasRowAttention(at::ScalarType dtype, int64_t size) {
  static const bool hasFloats = hasAvx512(), hasHalves = hasFloats && __builtin_cpu_supports("avx512bf16");
  return dtype == at::kFloat ? hasFloats : dtype == at::kBFloat16 && hasHalves && size % Bfloat16::kPerWord == 0;
}

at::Tensor attendRows(const AttentionInputs& inputs, const at::Tensor& out) {
  const at::Tensor logSumExp = at::empty({inputs.shape.heads, out.size(0)}, out.options().dtype(at::kFloat));
  (out.scalar_type() == at::kFloat ? attend<Float32> : attend<Bfloat16>)(inputs, out, logSumExp);
  return logSumExp;
}

void attendRowsBackward(const AttentionInputs& inputs, const at::Tensor& gradient, const at::Tensor& logSumExp,
                        const AttentionGradients& to) {
  (gradient.scalar_type() == at::kFloat ? attendBackward<Float32> : attendBackward<Bfloat16>)(inputs, gradient,
                                                                                              logSumExp, to);
}

#else

bool hasRowAttention(at::ScalarType, int64_t) {
  return false;
}
at::Tensor attendRows(const AttentionInputs&, const at::Tensor&) {
  return {};
}
void attendRowsBackward(const AttentionInputs&, const at::Tensor&, const at::Tensor&, const AttentionGradients&) {}

#endif

}  // namespace softprompt
