#include "core/train/cross_entropy.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/ops/loss_gradient.h"

namespace softprompt {
namespace {

struct ChunkLoss {
  double loss = 0;             // summed
  double negativeLogProb = 0;  // summed
  at::Tensor logitsGradient;   // [n, V], of the logits' dtype, scaled
};

double total(const at::Tensor& values) {
  return values.sum(at::kDouble).item<double>();
}

// By LibTorch's operators. logits [n, V]; targets int64 [n].
ChunkLoss plainLoss(const at::Tensor& logits, const at::Tensor& targets, const LossOptions& options, double scale) {
  const at::Tensor l = logits.to(at::kFloat);
  const auto vocabulary = static_cast<double>(l.size(1));
  const double smoothing = options.labelSmoothing;
  const at::Tensor index = targets.unsqueeze(1);
  const at::Tensor z = l.logsumexp(1, /*keepdim=*/true);  // [n, 1]
  const at::Tensor targetLogits = l.gather(1, index);     // [n, 1]
  ChunkLoss result;
  result.negativeLogProb = total(z.sub(targetLogits));
  at::Tensor loss = z.sub(targetLogits, 1 - smoothing);
  if (smoothing > 0) loss.sub_(l.sum(1, /*keepdim=*/true), smoothing / vocabulary);
  result.loss = total(loss.add_(z.square(), options.zLoss));
  // d loss / d l = softmax(l) (1 + 2 zLoss Z) - q
  at::Tensor gradient = l.sub(z).exp_().mul_(z.mul(2 * options.zLoss).add_(1));
  if (smoothing > 0) gradient.sub_(smoothing / vocabulary);
  gradient.scatter_(1, index, gradient.gather(1, index).sub_(1 - smoothing));
  result.logitsGradient = gradient.mul_(scale).to(logits.scalar_type());
  return result;
}

// The gradient takes the place of the logits where our own loop does it.
ChunkLoss chunkLoss(const at::Tensor& logits, const at::Tensor& targets, const LossOptions& options, double scale) {
  const bool isOurs = logits.scalar_type() == at::kFloat || logits.scalar_type() == at::kBFloat16;
  if (!logits.is_cpu() || !logits.is_contiguous() || !isOurs) return plainLoss(logits, targets, options, scale);
  at::Tensor gradient = logits;
  const LossSums sums =
      lossGradient(gradient, targets.contiguous(),
                   {.zLoss = options.zLoss, .labelSmoothing = options.labelSmoothing, .scale = scale});
  return {sums.loss, sums.negativeLogProb, gradient};
}

// `lossOf`: chunkLoss or plainLoss. `rows` of hidden at once.
template <class LossOf>
CrossEntropy inChunks(const LogitsOf& logitsOf, const LossOf& lossOf, int64_t rows, const at::Tensor& hidden,
                      const at::Tensor& targets, const LossOptions& options, YieldPoint& yieldPoint, int64_t meanOver) {
  const int64_t n = hidden.size(0);
  const double scale =
      options.reduction == Reduction::kMean ? 1.0 / static_cast<double>(meanOver > 0 ? meanOver : n) : 1.0;
  CrossEntropy result;
  result.hiddenGradient = at::empty_like(hidden);
  for (int64_t from = 0; from < n; from += rows) {
    if (from > 0) yieldPoint.pause();
    const int64_t to = std::min(from + rows, n);
    const LogitsPass pass = logitsOf(hidden.slice(0, from, to));
    const at::NoGradGuard noGrad;
    const ChunkLoss loss = lossOf(pass.logits, targets.slice(0, from, to), options, scale);
    result.loss += loss.loss * scale;
    result.negativeLogProb += loss.negativeLogProb;
    result.hiddenGradient.slice(0, from, to).copy_(pass.backward(loss.logitsGradient));
  }
  return result;
}

int64_t rowsAtOnce(int64_t chunkLogits, int64_t vocabSize) {
  return std::max<int64_t>(1, chunkLogits / vocabSize);
}

}  // namespace

CrossEntropy crossEntropy(const LogitsOf& logitsOf, int64_t vocabSize, const at::Tensor& hidden,
                          const at::Tensor& targets, const LossOptions& options, YieldPoint& yieldPoint,
                          int64_t meanOver, int64_t chunkLogits) {
  return inChunks(logitsOf, chunkLoss, rowsAtOnce(chunkLogits, vocabSize), hidden, targets, options, yieldPoint,
                  meanOver);
}

CrossEntropy crossEntropy(Executor& model, const at::Tensor& hidden, const at::Tensor& targets,
                          const LossOptions& options, YieldPoint& yieldPoint, int64_t meanOver, int64_t chunkLogits) {
  const LogitsOf logitsOf = [&](const at::Tensor& hiddenChunk) -> LogitsPass {
    const at::AutoGradMode withGradient(true);
    const at::Tensor chunk = hiddenChunk.detach().requires_grad_(true);
    const at::Tensor logits = model.logits(chunk);
    return {logits.detach(), [chunk, logits](const at::Tensor& gradient) {
              return torch::autograd::grad({logits}, {chunk}, {gradient})[0];
            }};
  };
  return inChunks(logitsOf, plainLoss, rowsAtOnce(chunkLogits, model.config().vocabSize), hidden, targets, options,
                  yieldPoint, meanOver);
}

double negativeLogProb(Executor& model, const at::Tensor& hidden, const at::Tensor& targets, YieldPoint& yieldPoint,
                       int64_t chunkLogits) {
  const at::NoGradGuard noGrad;
  const int64_t n = hidden.size(0), rows = rowsAtOnce(chunkLogits, model.config().vocabSize);
  double sum = 0;
  for (int64_t from = 0; from < n; from += rows) {
    if (from > 0) yieldPoint.pause();
    const int64_t to = std::min(from + rows, n);
    const at::Tensor logits = model.logits(hidden.slice(0, from, to)).to(at::kFloat);
    sum += total(logits.logsumexp(1, /*keepdim=*/true).sub(logits.gather(1, targets.slice(0, from, to).unsqueeze(1))));
  }
  return sum;
}

}  // namespace softprompt
