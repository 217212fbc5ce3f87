#include "core/generate/rows.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "core/prompt/prefix.h"
#include "core/prompt/prompt.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

// Batches of nearly the same length then have the same shape, which keeps the maths libraries' caches small.
constexpr int64_t kLengthBucket = 8;

std::vector<int64_t> allRows(int64_t n) {
  std::vector<int64_t> rows(n);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

}  // namespace

void PromptedRows::append(const PromptedRows& more) {
  const auto offset = static_cast<int32_t>(prompts.size());
  for (int64_t row = 0; row < more.inputs.size(); ++row) inputs.append(more.inputs.row(row));
  prompts.insert(prompts.end(), more.prompts.begin(), more.prompts.end());
  for (const int32_t prompt : more.promptOfRow) promptOfRow.push_back(prompt < 0 ? -1 : prompt + offset);
}

void checkRows(const PromptedRows& rows, const T5Config& config) {
  for (const at::Tensor& prompt : rows.prompts) checkPrompt(prompt, config.dModel);
  checkTokens(rows.inputs, allRows(rows.inputs.size()), config.vocabSize, "input");
  for (int64_t row = 0; row < rows.inputs.size(); ++row)
    if (encoderLength(rows, row) == 0)
      throw Error("DATA_ROW_INVALID", "row " + std::to_string(row) +
                                          ": the input has no tokens and no prompt; give it at least one of them");
}

void checkTargets(const TokenRows& targets, const T5Config& config, const std::string& name) {
  checkTokens(targets, allRows(targets.size()), config.vocabSize, name);
  for (int64_t i = 0; i < targets.size(); ++i)
    if (targets.length(i) == 0)
      throw Error("DATA_TARGET_EMPTY", "row " + std::to_string(i) + ": the " + name +
                                           " has no tokens, so there is nothing to score; give it at least one");
}

int64_t encoderLength(const PromptedRows& rows, int64_t row) {
  const int32_t prompt = rows.promptOfRow[row];
  return (prompt < 0 ? 0 : rows.prompts[prompt].size(0)) + rows.inputs.length(row);
}

std::vector<std::vector<int64_t>> batchesByLength(const PromptedRows& rows, std::vector<int64_t> which,
                                                  int64_t maxBatch, const std::vector<int64_t>& lanes) {
  std::stable_sort(which.begin(), which.end(),
                   [&](int64_t a, int64_t b) { return encoderLength(rows, a) > encoderLength(rows, b); });
  std::vector<std::vector<int64_t>> batches;
  int64_t limit = 0, used = 0;  // lanes of the batch being filled; its first row is its longest
  for (const int64_t row : which) {
    const int64_t wanted = lanes.empty() ? 1 : lanes[row];
    if (batches.empty() || used + wanted > limit) {
      limit = std::clamp<int64_t>(kMaxBatchPositions / encoderLength(rows, row), 1, maxBatch);
      used = 0;
      batches.emplace_back();
    }
    used += wanted;
    batches.back().push_back(row);
  }
  return batches;
}

Encoded encodeRows(Executor& model, const PromptedRows& rows, const std::vector<int64_t>& batch, Pass& pass) {
  const EncoderInput input = prefixed(model, rows.inputs, batch, rows.prompts, rows.promptOfRow, kLengthBucket);
  return model.encode(input.embeds, input.mask, pass);
}

at::Tensor indexTensor(const std::vector<int64_t>& values, at::Device device) {
  at::Tensor index = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), index.data_ptr<int64_t>());
  return index.to(device);
}

at::Tensor floatTensor(const std::vector<float>& values, at::Device device) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(values.size())}, at::kFloat);
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor.to(device);
}

}  // namespace softprompt
