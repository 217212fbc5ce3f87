#include "core/train/optimizer.h"

#include "core/runtime/error.h"
#include "core/train/adafactor.h"
#include "core/train/adamw.h"
#include "core/train/muon.h"

namespace softprompt {

at::Tensor Optimizer::restored(const std::map<std::string, at::Tensor>& state, const std::string& name,
                               const at::Tensor& like) {
  const auto found = state.find(name);
  if (found == state.end()) throw Error("CHECKPOINT_INVALID", "the optimiser's tensor '" + name + "' is missing");
  if (!found->second.sizes().equals(like.sizes()) || found->second.scalar_type() != like.scalar_type()) {
    throw Error("CHECKPOINT_INVALID", "the optimiser's tensor '" + name + "' has another shape or type");
  }
  return found->second.clone();
}

std::unique_ptr<Optimizer> makeOptimizer(const OptimizerOptions& options, at::IntArrayRef shape, int64_t totalSteps) {
  switch (options.kind) {
    case OptimizerKind::kAdafactor:
      return std::make_unique<Adafactor>(options, shape, totalSteps);
    case OptimizerKind::kAdamW:
      return std::make_unique<AdamW>(options, shape, totalSteps);
    case OptimizerKind::kMuon:
      return std::make_unique<Muon>(options, shape, totalSteps);
  }
  return nullptr;  // there is no other kind
}

}  // namespace softprompt
