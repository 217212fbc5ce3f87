#include "core/generate/choose.h"

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/scalar_tensor.h>

#include <algorithm>
#include <limits>

#include "core/generate/rows.h"

namespace softprompt {
namespace {

// `logits` with `eos` at minus infinity where it is forbidden; the same tensor where it nowhere is.
at::Tensor withoutForbidden(const at::Tensor& logits, const std::vector<bool>& mayEnd, int64_t eos) {
  std::vector<int64_t> forbidden;
  for (size_t b = 0; b < mayEnd.size(); ++b)
    if (!mayEnd[b]) forbidden.push_back(static_cast<int64_t>(b));
  if (forbidden.empty()) return logits;
  at::Tensor allowed = logits.clone();
  allowed.select(1, eos).index_fill_(0, indexTensor(forbidden, logits.device()),
                                     -std::numeric_limits<double>::infinity());
  return allowed;
}

}  // namespace

Choice chooseGreedy(const at::Tensor& logits, const std::vector<bool>& mayEnd, int64_t eos) {
  const at::Tensor raw = logits.to(at::kFloat);
  const at::Tensor tokens = withoutForbidden(raw, mayEnd, eos).argmax(1);  // [B]; the first of equal ones
  const at::Tensor logProbs = at::log_softmax(raw, 1).gather(1, tokens.unsqueeze(1)).squeeze(1);
  const at::Tensor tokensHere = tokens.cpu(), logProbsHere = logProbs.cpu();
  Choice choice;
  choice.tokens.assign(tokensHere.const_data_ptr<int64_t>(), tokensHere.const_data_ptr<int64_t>() + tokens.numel());
  choice.logProbs.assign(logProbsHere.const_data_ptr<float>(), logProbsHere.const_data_ptr<float>() + tokens.numel());
  return choice;
}

}  // namespace softprompt
