// Option objects of JavaScript as core's option structs. src/ has filled in every default.
#pragma once

#include <optional>
#include <vector>

#include "addon/napi.h"
#include "core/generate/generate.h"
#include "core/prompt/initialise.h"
#include "core/t5/load.h"
#include "core/t5/trainable_model.h"
#include "core/train/model_trainer.h"
#include "core/train/options.h"
#include "core/train/tuner.h"

namespace softprompt {

// An array of a row's options each. Their `badWords` and `labels` are places in `sequences`, an array of token rows (or
// undefined).
std::vector<GenerateOptions> generateOptions(const Napi::Value& value, const Napi::Value& sequences);
LossOptions lossOptions(const Napi::Value& value);
TuneOptions tuneOptions(const Napi::Object& options);
InitOptions initOptions(const Napi::Object& options);  // of a run: `init` and `length`
// Of each run of a call of tune, how it begins and what is its own.
struct RunOptions {
  InitOptions init;
  uint64_t seed = 0;
  double learningRate = 0;
};
std::vector<RunOptions> runOptions(const Napi::Object& options);       // `runs`
std::optional<RunOptions> sharedOptions(const Napi::Object& options);  // `shared`, where it is given
TrainingSet trainingSet(const Napi::Object& options);                  // `inputs`, `targets` and `runOfRow`
ModelTrainerOptions modelTrainerOptions(const Napi::Object& options);
TrainableOptions trainableOptions(const Napi::Object& options);
LoadOptions loadOptions(const Napi::Object& options);

// A field that must be there, of that type.
double numberField(const Napi::Object& object, const char* name);
std::string textField(const Napi::Object& object, const char* name);
std::string text(const Napi::Value& value, const char* what);

}  // namespace softprompt
