#include "core/generate/scheduler.h"

#include <algorithm>
#include <utility>

namespace softprompt {

namespace {

constexpr int64_t kMaxBatch = 64;  // rows

void append(PromptedRows& all, const PromptedRows& more) {
  const auto offset = static_cast<int32_t>(all.prompts.size());
  for (int64_t i = 0; i < more.inputs.size(); ++i) all.inputs.append(more.inputs.row(i));
  all.prompts.insert(all.prompts.end(), more.prompts.begin(), more.prompts.end());
  for (const int32_t prompt : more.promptOfRow) all.promptOfRow.push_back(prompt < 0 ? -1 : prompt + offset);
}

}  // namespace

GenerateRequest::GenerateRequest(const std::unique_ptr<Executor>& model, Call call, OnDone onDone)
    : Task(TaskKind::kRequest,
           [this, onDone = std::move(onDone)](std::exception_ptr failure) {
             onDone(std::move(failure), std::move(generations_));
           }),
      model_(model),
      call_(std::move(call)),
      delivered_(size()) {}

bool GenerateRequest::absorb(Task& other) {
  auto* request = dynamic_cast<GenerateRequest*>(&other);
  if (!request || &request->model_ != &model_) return false;
  int64_t rows = size() + request->size();
  for (const auto* companion : companions_) rows += companion->size();
  if (rows > kMaxBatch) return false;
  companions_.push_back(request);
  return true;
}

// The calls of this request and its companions as one, and where each of its rows comes from.
GenerateRequest::Call GenerateRequest::batch(std::vector<Place>& places) {
  Call all;
  const auto add = [&](GenerateRequest* request) {
    append(all.rows, request->call_.rows);
    all.options.insert(all.options.end(), request->call_.options.begin(), request->call_.options.end());
    for (int64_t row = 0; row < request->size(); ++row) places.push_back({request, row});
    request->made_.assign(request->size(), 0);
  };
  add(this);
  for (auto* companion : companions_) add(companion);
  return all;
}

bool GenerateRequest::step(YieldPoint& yieldPoint) {
  std::vector<Place> places;
  const Call all = batch(places);
  companions_.clear();
  auto generations = generate(
      *model_, all.rows, all.options, yieldPoint,
      [&](int64_t row, int32_t token) { places[row].request->deliver(places[row].row, token); }, kMaxBatch);
  for (const auto& place : places) place.request->generations_.resize(place.request->size());
  for (size_t i = 0; i < places.size(); ++i) {
    places[i].request->generations_[places[i].row] = std::move(generations[i]);
  }
  return false;
}

// A second run, after one that was shared and failed, repeats tokens: those are not handed on again.
void GenerateRequest::deliver(int64_t row, int32_t token) {
  if (++made_[row] <= delivered_[row]) return;
  delivered_[row] = made_[row];
  if (call_.onToken && !settled()) call_.onToken(row, token);
}

}  // namespace softprompt
