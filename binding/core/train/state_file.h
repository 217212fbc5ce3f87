// A run's checkpoint as a file: a safetensors file of what changes, and as metadata the step, the caller's notes and
// what the run is, so that it goes on only as the run that it was.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "core/checkpoint/safetensors.h"
#include "core/train/options.h"

namespace softprompt {

// What must be the same for a run to go on as if it had never been interrupted: name -> value.
using RunIdentity = std::map<std::string, std::string>;

struct StateFile {
  RunIdentity identity;
  int64_t step = 0;        // steps done
  int64_t rowsAtOnce = 0;  // rows in one pass, where the run found it out; 0: not set
  std::string notes;       // the caller's
  NamedTensors tensors;
};

// Written beside, synced, renamed. Throws Error FILE_WRITE.
void writeStateFile(const std::string& path, const StateFile& state);

// Throws Error CHECKPOINT_INVALID, or CHECKPOINT_MISMATCH naming what differs from `expected`.
StateFile readStateFile(const std::string& path, const RunIdentity& expected);

[[noreturn]] void invalidStateFile(const std::string& path, const std::string& what);  // CHECKPOINT_INVALID

// The parts of an identity.
std::string exactText(double value);
RunIdentity lossIdentity(const LossOptions& options);
RunIdentity optimizerIdentity(const OptimizerOptions& options);

}  // namespace softprompt
