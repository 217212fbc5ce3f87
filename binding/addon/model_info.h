// What NativeModel.info of src/native.ts says.
#pragma once

#include <cstdint>
#include <string>

#include "addon/napi.h"
#include "addon/session.h"

namespace softprompt {

struct ModelInfo {
  std::string device;
  std::string dtype;
  std::string configJson;
  std::string fingerprint;
  int64_t parameterCount = 0;
  int64_t bytes = 0;
  int threads = 0;
};

// On the thread that made the model.
ModelInfo infoOf(const Session& session);
// A NativeModel. JS thread.
Napi::Value modelObject(Napi::Env env, const SessionHandle& session, const ModelInfo& info);

}  // namespace softprompt
