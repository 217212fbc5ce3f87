// A folder or .pt on disk -> a frozen model.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "core/checkpoint/safetensors.h"
#include "core/t5/executor.h"

namespace softprompt {

struct LoadOptions {
  std::string path;             // a Hugging Face folder, or a .pt file
  std::string device = "auto";  // auto | cpu | cuda | cuda:N
  std::string dtype = "auto";   // auto | float32 | bfloat16 | int8
  bool trust = false;           // run the code of a foreign .pt
  std::function<void(double fraction)> onProgress;
};

struct LoadedModel {
  std::unique_ptr<Executor> executor;
  std::string dtype;        // float32 | bfloat16 | int8
  std::string configJson;   // the config file's text
  std::string fingerprint;  // sha256 hex over names, shapes, float32 values of the tensors and the config that matters
  int64_t parameterCount = 0;
  int64_t bytes = 0;  // of the tensors as held
  // Of a model that is trained (trainable_model.h): its weights in float32, in the order of parameters(). Empty: it is
  // frozen.
  NamedTensors masters;
};

// It is frozen: every parameter has requires_grad false. Throws Error (MODEL_*, CONFIG_*, SAFETENSORS_*, DEVICE_*) and
// Cancelled.
LoadedModel loadModel(const LoadOptions& options, YieldPoint& yieldPoint);

// Reads a folder and writes the TorchScript archive (contract: docs/torchscript.md), beside-then-rename.
void convertModel(const std::string& folder, const std::string& outPath, const std::string& dtype,
                  YieldPoint& yieldPoint);

}  // namespace softprompt
