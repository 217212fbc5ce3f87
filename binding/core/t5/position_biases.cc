#include "core/t5/position_biases.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>

namespace softprompt {

std::vector<at::Tensor> positionBiases(const T5Config& config, const torch::jit::Module& blocks, int64_t count,
                                       const std::string& method, const std::vector<c10::IValue>& arguments) {
  const at::NoGradGuard noGrad;
  std::vector<at::Tensor> out;
  for (int64_t i = 0; i < count; ++i) {
    const bool hasOwn = i == 0 || config.biasInEveryBlock;
    out.push_back(
        hasOwn ? blocks.attr(std::to_string(i)).toModule().get_method(method)(arguments).toTensor().to(at::kFloat)
               : out.back());
  }
  return out;
}

std::vector<at::Tensor> stepBiases(const T5Config& config, const torch::jit::Module& decoderBlocks, int64_t positions) {
  std::vector<at::Tensor> rows =
      positionBiases(config, decoderBlocks, config.numDecoderLayers, "bias", {int64_t{1}, positions - 1});
  for (at::Tensor& row : rows) row = row.contiguous();
  return rows;
}

}  // namespace softprompt
