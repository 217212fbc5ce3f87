// The file a run can go on from: a safetensors file of the prompt, its moving average, the optimiser's tensors
// (float32, one to three times the prompt's size), and as metadata the step, the caller's notes, and what the run was.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "core/train/options.h"
#include "core/train/tuner.h"

namespace softprompt {

// What must be the same for a run to go on as if it had never been interrupted: name -> value.
using RunIdentity = std::map<std::string, std::string>;

struct RunCheckpoint {
  RunIdentity identity;
  int64_t step = 0;    // steps done
  at::Tensor prompt;   // float32 [P, d]
  at::Tensor average;  // float32 [P, d], or undefined where none is kept
  std::map<std::string, at::Tensor> optimizer;
  std::string notes;  // the caller's
};

// The options that shape the course, the model's fingerprint, the prompt's shape and a hash of the data. `steps` is
// part of it only where the schedule depends on it, so that a constant rate can go on for longer.
RunIdentity runIdentity(const TuneOptions& options, const TrainingSet& data, at::IntArrayRef promptShape);

// Written beside, synced, renamed. Throws Error FILE_WRITE.
void writeRunCheckpoint(const std::string& path, const RunCheckpoint& checkpoint);

// Throws Error CHECKPOINT_INVALID, or CHECKPOINT_MISMATCH naming what differs from `expected`.
RunCheckpoint readRunCheckpoint(const std::string& path, const RunIdentity& expected);

}  // namespace softprompt
