// The functions of src/native.ts that work on files, without a model.
#pragma once

#include "addon/napi.h"

namespace softprompt {

Napi::Value convert(const Napi::CallbackInfo& info);
Napi::Value loadPromptFile(const Napi::CallbackInfo& info);
Napi::Value savePromptFile(const Napi::CallbackInfo& info);
Napi::Value inspect(const Napi::CallbackInfo& info);

}  // namespace softprompt
