// Every choice of a tuning run, with the paper's names (PAPER.md "Settings"). TypeScript resolves presets; nothing is
// implied here.
#pragma once

#include <cstdint>
#include <string>

namespace softprompt {

enum class Reduction { kSum, kMean };  // over the batch's target tokens
enum class OptimizerKind { kAdafactor, kAdamW, kMuon };
enum class Schedule { kConstant, kLinear, kCosine, kInverseSqrt };

struct LossOptions {
  Reduction reduction = Reduction::kSum;
  double zLoss = 0;  // times logsumexp(logits)^2 a target token
  double labelSmoothing = 0;
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdafactor;
  double learningRate = 0.3;
  double weightDecay = 1e-5;  // Adafactor: P *= 1 - weightDecay a step, as T5X; AdamW, Muon: times the rate
  Schedule schedule = Schedule::kConstant;
  int64_t warmupSteps = 0;
  // Adafactor
  double clipThreshold = 1.0;
  double decayRate = 0.8;
  int64_t initialStep = 0;
  int64_t minDimSizeToFactor = 128;
  // Adafactor's epsilon is 1e-30, AdamW's 1e-8; Muon has none
  double epsilon = 1e-30;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double momentum = 0.9;       // Muon
  double maxGradientNorm = 0;  // > 0: a gradient of a larger L2 norm is scaled down to it, before the rule sees it
  double averageDecay = 0;     // > 0: the prompt handed out is an exponential moving average of the iterates
};

struct TuneOptions {
  int64_t steps = 1000;  // the schedule's length
  int64_t batchSize = 32;
  // Rows in one pass through the model, those of all prompts; 0: as many as the device has memory for.
  int64_t microBatchSize = 0;
  bool shuffle = true;
  double dropout = 0;
  uint64_t seed = 0;  // of the batches
  LossOptions loss;
  OptimizerOptions optimizer;
  std::string fingerprint;  // the model's (LoadedModel), so that a checkpoint of another model is refused
};

}  // namespace softprompt
