#include "core/generate/scheduler.h"

#include <algorithm>
#include <utility>

namespace softprompt {

namespace {

constexpr int64_t kMaxLanes = 64;

void appendRows(PromptedRows& all, const PromptedRows& more) {
  const auto offset = static_cast<int32_t>(all.prompts.size());
  for (int64_t i = 0; i < more.inputs.size(); ++i) all.inputs.append(more.inputs.row(i));
  all.prompts.insert(all.prompts.end(), more.prompts.begin(), more.prompts.end());
  for (const int32_t prompt : more.promptOfRow) all.promptOfRow.push_back(prompt < 0 ? -1 : prompt + offset);
}

}  // namespace

GenerateRequest::GenerateRequest(const std::unique_ptr<Executor>& model, Call call, OnDone onDone)
    : Task(TaskKind::kRequest, [this, onDone = std::move(onDone)](
                                   std::exception_ptr failure) { onDone(std::move(failure), std::move(answers_)); }),
      model_(model),
      call_(std::move(call)),
      rowsLeft_(size()),
      delivered_(size()) {}

int64_t GenerateRequest::lanes() const {
  int64_t lanes = 0;
  for (const GenerateOptions& options : call_.options) lanes += lanesOf(options);
  return lanes;
}

bool GenerateRequest::absorb(const std::shared_ptr<Task>& other) {
  auto request = std::dynamic_pointer_cast<GenerateRequest>(other);
  if (!request || &request->model_ != &model_) return false;
  int64_t sum = lanes() + request->lanes();
  for (const auto& one : absorbed_) sum += one->lanes();
  if (sum > kMaxLanes) return false;
  absorbed_.push_back(std::move(request));
  return true;
}

bool GenerateRequest::step(YieldPoint& yieldPoint) {
  try {
    if (!run_) begin();
    dropSettled();
    finishRows();
    const bool more = run_->decoding->step(yieldPoint);
    collect();
    if (!more) run_.reset();
    return more;
  } catch (...) {
    run_.reset();  // the next step, if there is one, begins anew, and alone
    throw;
  }
}

void GenerateRequest::begin() {
  run_ = std::make_unique<Run>();
  run_->companions = std::exchange(absorbed_, {});
  Call all;
  append(*this, all);
  for (const auto& companion : run_->companions) append(*companion, all);
  run_->decoding = std::make_unique<Decoding>(
      *model_, std::move(all.rows), std::move(all.options),
      [places = run_->places](int64_t row, int32_t token) { places[row].request->deliver(places[row].row, token); },
      kMaxLanes);
}

void GenerateRequest::append(GenerateRequest& request, Call& all) {
  appendRows(all.rows, request.call_.rows);
  all.options.insert(all.options.end(), request.call_.options.begin(), request.call_.options.end());
  for (int64_t row = 0; row < request.size(); ++row) run_->places.push_back({&request, row});
  request.answers_.assign(request.size(), {});
  request.made_.assign(request.size(), 0);
  request.rowsLeft_ = request.size();
}

void GenerateRequest::dropSettled() {
  for (size_t i = 0; i < run_->places.size(); ++i)
    if (run_->places[i].request->settled()) run_->decoding->drop(static_cast<int64_t>(i));
}

void GenerateRequest::finishRow(int64_t row) {
  const std::lock_guard lock(finishedMutex_);
  finished_.push_back(row);
}

void GenerateRequest::finishRows() {
  for (size_t i = 0; i < run_->places.size(); ++i) {
    Place& place = run_->places[i];
    const std::lock_guard lock(place.request->finishedMutex_);
    if (std::erase(place.request->finished_, place.row) > 0) run_->decoding->finish(static_cast<int64_t>(i));
  }
}

void GenerateRequest::collect() {
  for (size_t i = 0; i < run_->places.size(); ++i) {
    Place& place = run_->places[i];
    if (place.isCollected || !run_->decoding->isDone(static_cast<int64_t>(i))) continue;
    place.isCollected = true;
    if (place.request->settled()) continue;  // its answers are gone with it
    place.request->answers_[place.row] = std::move(run_->decoding->answers[i]);
    --place.request->rowsLeft_;
  }
}

// A second run, after one that was shared and failed, repeats tokens: those are not handed on again.
void GenerateRequest::deliver(int64_t row, int32_t token) {
  if (++made_[row] <= delivered_[row]) return;
  delivered_[row] = made_[row];
  if (call_.onToken && !settled()) call_.onToken(row, token);
}

}  // namespace softprompt
