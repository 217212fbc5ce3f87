#include "addon/values.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/runtime/tensor_io.h"

namespace softprompt {

namespace {

template <typename Array>
Array typedArray(const Napi::Value& value, napi_typedarray_type type, const char* what) {
  expect(value.Env(), value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type, what);
  return value.As<Array>();
}

Napi::Int32Array int32Array(const Napi::Value& value, const char* what) {
  return typedArray<Napi::Int32Array>(value, napi_int32_array, what);
}

template <typename Array, typename Number>
Array arrayOf(Napi::Env env, const std::vector<Number>& values) {
  Array array = Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(Number));
  return array;
}

bool sound(const TokenRows& rows) {
  return !rows.offsets.empty() && rows.offsets.front() == 0 &&
         std::is_sorted(rows.offsets.begin(), rows.offsets.end()) &&
         rows.offsets.back() == static_cast<int64_t>(rows.ids.size());
}

}  // namespace

void expect(Napi::Env env, bool holds, const std::string& what) {
  if (!holds) throw Napi::TypeError::New(env, "The native module wants " + what);
}

TokenRows tokenRows(const Napi::Value& value) {
  expect(value.Env(), value.IsObject(), "token rows: { ids, offsets }");
  const Napi::Object object = value.As<Napi::Object>();
  const auto ids = int32Array(object.Get("ids"), "token rows' ids as an Int32Array");
  const auto offsets = int32Array(object.Get("offsets"), "token rows' offsets as an Int32Array");
  TokenRows rows;
  rows.ids.assign(ids.Data(), ids.Data() + ids.ElementLength());
  rows.offsets.assign(offsets.Data(), offsets.Data() + offsets.ElementLength());
  expect(value.Env(), sound(rows), "offsets that rise from 0 to the number of ids");
  return rows;
}

at::Tensor promptRows(const Napi::Value& value) {
  expect(value.Env(), value.IsObject(), "a prompt: { data, rows, dModel }");
  const Napi::Object object = value.As<Napi::Object>();
  const auto data =
      typedArray<Napi::Float32Array>(object.Get("data"), napi_float32_array, "a prompt's data as a Float32Array");
  const int64_t rows = object.Get("rows").ToNumber().Int64Value();
  const int64_t dModel = object.Get("dModel").ToNumber().Int64Value();
  const auto length = static_cast<int64_t>(data.ElementLength());
  const bool fits = rows > 0 && dModel > 0 && rows <= length && rows * dModel == length;
  expect(value.Env(), fits, "rows x dModel numbers in a prompt");
  return matrixOf({data.Data(), data.ElementLength()}, rows, dModel);
}

SoftPrompt softPrompt(const Napi::Value& value) {
  SoftPrompt prompt{promptRows(value), {}};
  const Napi::Object metadata = value.As<Napi::Object>().Get("metadata").ToObject();
  const Napi::Array names = metadata.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString();
    prompt.metadata[name] = metadata.Get(name).ToString();
  }
  return prompt;
}

PromptedRows promptedRows(const Napi::Value& value) {
  expect(value.Env(), value.IsObject(), "prompted rows: { inputs, prompts, promptOfRow }");
  const Napi::Object object = value.As<Napi::Object>();
  expect(value.Env(), object.Get("prompts").IsArray(), "prompts as an array");
  const Napi::Array prompts = object.Get("prompts").As<Napi::Array>();
  const auto promptOfRow = int32Array(object.Get("promptOfRow"), "promptOfRow as an Int32Array");

  PromptedRows rows{.inputs = tokenRows(object.Get("inputs")), .prompts = {}, .promptOfRow = {}};
  for (uint32_t i = 0; i < prompts.Length(); ++i) rows.prompts.push_back(promptRows(prompts.Get(i)));
  rows.promptOfRow.assign(promptOfRow.Data(), promptOfRow.Data() + promptOfRow.ElementLength());
  expect(value.Env(), static_cast<int64_t>(rows.promptOfRow.size()) == rows.inputs.size(), "one promptOfRow an input");
  const auto known = [&](int32_t prompt) { return prompt >= -1 && prompt < static_cast<int64_t>(rows.prompts.size()); };
  expect(value.Env(), std::all_of(rows.promptOfRow.begin(), rows.promptOfRow.end(), known),
         "promptOfRow to be -1 or one of prompts");
  return rows;
}

Napi::Float32Array floatArray(Napi::Env env, const std::vector<float>& values) {
  return arrayOf<Napi::Float32Array>(env, values);
}

Napi::Int32Array intArray(Napi::Env env, const std::vector<int32_t>& values) {
  return arrayOf<Napi::Int32Array>(env, values);
}

PromptNumbers promptNumbers(const at::Tensor& rows) {
  return {floatsOf(rows), rows.size(0), rows.size(1)};
}

Napi::Object promptObject(Napi::Env env, const PromptNumbers& prompt) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("data", floatArray(env, prompt.data));
  object.Set("rows", static_cast<double>(prompt.rows));
  object.Set("dModel", static_cast<double>(prompt.dModel));
  return object;
}

Napi::Object generationObject(Napi::Env env, const Generation& generation) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("tokens", intArray(env, generation.tokens));
  object.Set("logProb", generation.logProb);
  object.Set("finishReason", generation.finishReason == FinishReason::kEos ? "eos" : "length");
  return object;
}

Napi::Object stepObject(Napi::Env env, const StepFigures& step) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("step", static_cast<double>(step.step));
  object.Set("loss", step.loss);
  object.Set("gradientNorm", step.gradientNorm);
  object.Set("learningRate", step.learningRate);
  object.Set("examples", static_cast<double>(step.examples));
  object.Set("inputTokens", static_cast<double>(step.inputTokens));
  object.Set("targetTokens", static_cast<double>(step.targetTokens));
  if (!step.diverged.empty()) object.Set("diverged", step.diverged);
  return object;
}

}  // namespace softprompt
