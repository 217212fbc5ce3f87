// The file that tuning can go on from: a state file of each run's prompt, its moving average and its optimiser's
// tensors (float32, one to three times the prompt's size). The names of what is a prompt's own begin with its name.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/train/learned_prompt.h"
#include "core/train/options.h"
#include "core/train/state_file.h"
#include "core/train/tuner.h"

namespace softprompt {

struct RunCheckpoint {
  RunIdentity identity;
  int64_t step = 0;                             // steps done
  int64_t rowsAtOnce = 0;                       // rows in one pass; 0: all
  std::vector<LearnedPrompt::Tensors> prompts;  // as read; those that are written come from the prompts themselves
  std::string notes;                            // the caller's
};

// The options that shape the course, the model's fingerprint, the prompts' shapes, seeds and rates, and a hash of the
// data. `steps` is part of it only where the schedule depends on it, so that a constant rate can go on for longer.
RunIdentity runIdentity(const TuneOptions& options, const TrainingSet& data, const std::vector<LearnedPrompt>& prompts);

// Written beside, synced, renamed. Throws Error FILE_WRITE.
void writeRunCheckpoint(const std::string& path, const RunCheckpoint& checkpoint,
                        const std::vector<LearnedPrompt>& prompts);

// Throws Error CHECKPOINT_INVALID, or CHECKPOINT_MISMATCH naming what differs from `expected`, the identity of a run
// with these prompts.
RunCheckpoint readRunCheckpoint(const std::string& path, const RunIdentity& expected,
                                const std::vector<LearnedPrompt>& prompts);

}  // namespace softprompt
