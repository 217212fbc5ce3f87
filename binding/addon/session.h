// A model in use: its compute thread and what lives there.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "addon/jobs.h"
#include "core/runtime/compute_thread.h"
#include "core/t5/load.h"
#include "core/train/model_trainer.h"
#include "core/train/tuner.h"

namespace softprompt {

class Environment;
using RunId = uint64_t;
template <typename Run>
using Runs = std::unordered_map<RunId, std::unique_ptr<Run>>;

// Its environment keeps it until the thread has ended, so tasks hold a plain reference.
struct Session {
  Session(Environment& environment, int threads);

  // Ends the thread at its next yield point; what is open rejects with MODEL_DISPOSED. Any thread.
  void close();

  Environment& environment;

  // Of the compute thread alone.
  LoadedModel model;  // no executor: not loaded yet, or at its end
  Runs<Tuner> tuners;
  Runs<ModelTrainer> trainers;
  RunId lastRun = 0;

  // Of the JS thread alone.
  std::vector<JobId> disposals;  // calls of dispose() that wait for the end
  bool ended = false;

  std::shared_ptr<ComputeThread> thread;  // last: as it ends it empties what is above
};

// What the objects of JavaScript hold. The last of them to go, on whatever thread, closes the session.
using SessionHandle = std::shared_ptr<Session>;

}  // namespace softprompt
