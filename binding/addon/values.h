// Rows of tokens and numbers, in from JavaScript and out to it. src/ has checked what comes in; a shape that would read
// outside of an array is still refused, with a TypeError.
#pragma once

#include <string>
#include <vector>

#include "addon/napi.h"
#include "core/generate/generate.h"
#include "core/prompt/prompt.h"
#include "core/train/step_figures.h"

namespace softprompt {

// Throws a TypeError where a value that src/ promised does not hold.
void expect(Napi::Env env, bool holds, const std::string& what);

TokenRows tokenRows(const Napi::Value& value);
PromptedRows promptedRows(const Napi::Value& value);
// { data, rows, dModel } -> float32 [rows, dModel]
at::Tensor promptRows(const Napi::Value& value);
// { data, rows, dModel, metadata }
SoftPrompt softPrompt(const Napi::Value& value);

Napi::Float32Array floatArray(Napi::Env env, const std::vector<float>& values);
Napi::Int32Array intArray(Napi::Env env, const std::vector<int32_t>& values);
// A prompt's numbers, on their way: made on a compute thread, so that the JS thread touches no tensor.
struct PromptNumbers {
  std::vector<float> data;
  int64_t rows = 0;
  int64_t dModel = 0;
};
PromptNumbers promptNumbers(const at::Tensor& rows);
Napi::Object promptObject(Napi::Env env, const PromptNumbers& prompt);
Napi::Object generationObject(Napi::Env env, const Generation& generation);
Napi::Object stepObject(Napi::Env env, const StepFigures& step);

}  // namespace softprompt
