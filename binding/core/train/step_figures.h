// What a training step tells of itself.
#pragma once

#include <cstdint>
#include <string>

namespace softprompt {

struct StepFigures {
  int64_t step = 0;         // 1-based: steps done
  double loss = 0;          // a target token's mean, without z-loss, whatever the reduction: comparable between runs
  double gradientNorm = 0;  // of all that learns together, before clipping
  double learningRate = 0;
  int64_t examples = 0;
  int64_t inputTokens = 0;  // real ones, prompt rows not counted
  int64_t targetTokens = 0;
  std::string diverged;  // what is not finite, and what to do; what learns is then as it was before. Else empty
};

}  // namespace softprompt
