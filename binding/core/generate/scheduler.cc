#include "core/generate/scheduler.h"

#include <algorithm>
#include <utility>

namespace softprompt {

namespace {

constexpr int64_t kMaxLanes = 64;
// Rows that a run takes in before another begins: it keeps what it knows of each until its end.
constexpr size_t kMaxRows = 1024;

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
  if (!request || &request->model_ != &model_ || !hasRoomFor(*request)) return false;
  absorbed_.push_back(std::move(request));
  return true;
}

bool GenerateRequest::hasRoomFor(const GenerateRequest& request) const {
  int64_t sum = (run_ ? run_->decoding->lanes() : lanes()) + request.lanes();
  for (const auto& one : absorbed_) sum += one->lanes();
  if (sum > kMaxLanes) return false;
  if (!run_) return true;
  if (!run_->decoding->takesMore() || run_->places.size() + request.call_.options.size() > kMaxRows) return false;
  try {
    Decoding::check(request.call_.rows, request.call_.options, model_->config());
  } catch (...) {
    return false;  // it is to fail alone, and the run to go on
  }
  return true;
}

bool GenerateRequest::step(YieldPoint& yieldPoint) {
  try {
    if (!run_) {
      run_ = std::make_unique<Run>();
      run_->decoding = std::make_unique<Decoding>(
          *model_,
          [&places = run_->places](int64_t row, int32_t token) {
            places[row].request->deliver(places[row].row, token);
          },
          kMaxLanes);
      takeIn(*this);
    }
    takeInAbsorbed();
    dropSettled();
    finishRows();
    const bool more = run_->decoding->step(yieldPoint);
    collect();
    if (!more) run_.reset();
    return more;
  } catch (...) {
    run_.reset();  // the next step, if there is one, begins anew, and alone
    absorbed_.clear();
    throw;
  }
}

void GenerateRequest::takeInAbsorbed() {
  for (auto& request : std::exchange(absorbed_, {})) {
    takeIn(*request);
    run_->companions.push_back(std::move(request));
  }
}

void GenerateRequest::takeIn(GenerateRequest& request) {
  run_->decoding->add(request.call_.rows, request.call_.options);
  for (int64_t row = 0; row < request.size(); ++row) run_->places.push_back({&request, row});
  request.answers_.assign(request.size(), {});
  request.made_.assign(request.size(), 0);
  request.rowsLeft_ = request.size();
}

void GenerateRequest::dropSettled() {
  for (size_t i = 0; i < run_->places.size(); ++i)
    if (!run_->places[i].isCollected && run_->places[i].request->settled())
      run_->decoding->drop(static_cast<int64_t>(i));
}

void GenerateRequest::finishRow(int64_t row) {
  const std::lock_guard lock(finishedMutex_);
  finished_.push_back(row);
}

void GenerateRequest::finishRows() {
  for (size_t i = 0; i < run_->places.size(); ++i) {
    Place& place = run_->places[i];
    if (place.isCollected) continue;
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
