#include "core/prompt/nearest.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/topk.h>

#include <algorithm>

#include "core/prompt/prompt.h"

namespace softprompt {
namespace {

// Embeddings that are compared at once.
constexpr int64_t kChunk = 4096;

// Rows of length 1; rows of zeros stay.
at::Tensor directions(const at::Tensor& rows) {
  return rows.div(at::linalg_vector_norm(rows, 2, {-1}, /*keepdim=*/true).clamp_min(1e-30));
}

}  // namespace

NearestTokens nearestTokens(Executor& model, const at::Tensor& prompt, int64_t count, YieldPoint& yieldPoint) {
  const at::NoGradGuard noGrad;
  checkPrompt(prompt, model.config().dModel);
  const at::Tensor wanted = directions(prompt.to(model.device())).t();  // [d, P]
  const int64_t vocabSize = model.config().vocabSize;
  at::Tensor ids, similarity;  // [P, at most count] of the chunks so far
  for (int64_t start = 0; start < vocabSize; start += kChunk) {
    yieldPoint.pause();
    const at::Tensor chunk =
        at::arange(start, std::min(start + kChunk, vocabSize), prompt.options().dtype(at::kLong)).to(model.device());
    const at::Tensor embedded = model.embed(chunk.unsqueeze(0)).squeeze(0).to(at::kFloat);
    const at::Tensor cosine = directions(embedded).matmul(wanted).t();  // [P, chunk]
    const at::Tensor all = similarity.defined() ? at::cat({similarity, cosine}, 1) : cosine;
    const at::Tensor names = chunk.unsqueeze(0).expand_as(cosine);
    const at::Tensor allIds = ids.defined() ? at::cat({ids, names}, 1) : names;
    const auto [best, places] = at::topk(all, std::min(count, all.size(1)), 1);
    similarity = best;
    ids = allIds.gather(1, places);
  }
  return {ids.to(at::kCPU), similarity.to(at::kCPU)};
}

}  // namespace softprompt
