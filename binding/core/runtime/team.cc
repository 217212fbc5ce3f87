#include "core/runtime/team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace softprompt {
namespace {

// Looks before a helper goes to sleep, 0.1 to 0.2 ms: longer than what lies between two products, or two tokens.
constexpr int kLooks = 4096;

void breathe() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr uint64_t kClosed = 0xffffffffu;  // as the next piece: there is none, whatever the work

uint64_t workOf(uint64_t state) {
  return state >> 32;
}
int64_t pieceOf(uint64_t state) {
  return static_cast<int64_t>(state & kClosed);
}

}  // namespace

Team::Team(int members) : members_(std::max(1, members)) {
  for (int i = 1; i < members_; ++i) helpers_.emplace_back([this] { help(); });
}

Team::~Team() {
  isOver_.store(true);
  works_.fetch_add(1);
  works_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Team::share(int64_t count, int64_t grain, Call call, const void* context) {
  const uint64_t work = workOf(state_.load(std::memory_order_relaxed)) + 1;
  std::atomic_thread_fence(std::memory_order_release);  // the work before was closed below
  call_.store(call, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  count_.store(count, std::memory_order_relaxed);
  grain_.store(grain, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  state_.store(work << 32);
  works_.fetch_add(1);
  if (sleepers_.load() > 0 && sleepers_.exchange(0) > 0) works_.notify_all();
  while (takePiece(state_.load(std::memory_order_acquire))) {
  }
  const int64_t pieces = (count + grain - 1) / grain;
  for (int looks = 0; done_.load(std::memory_order_acquire) < pieces; ++looks) {
    if (looks < kLooks) {
      breathe();
    } else {
      std::this_thread::yield();  // a helper was interrupted within its piece
    }
  }
  state_.store(work << 32 | kClosed, std::memory_order_relaxed);
}

// Does the next piece of the work that `state` tells of; false: there is none left.
bool Team::takePiece(uint64_t state) {
  for (;;) {
    const Call call = call_.load(std::memory_order_relaxed);
    const void* context = context_.load(std::memory_order_relaxed);
    const int64_t count = count_.load(std::memory_order_relaxed), grain = grain_.load(std::memory_order_relaxed);
    const int64_t from = pieceOf(state) * grain;
    if (from >= count) return false;
    uint64_t now = state;
    // Only where it is still that work, what was read above is its own: a seqlock's reader.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (state_.compare_exchange_weak(now, state + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      call(context, from, std::min(count, from + grain));
      done_.fetch_add(1, std::memory_order_release);
      return true;
    }
    if (workOf(now) != workOf(state)) return false;
    state = now;
  }
}

void Team::help() {
  for (uint64_t seen = 0;;) {
    const uint64_t state = awaitWork(seen);
    if (isOver_.load()) return;
    seen = workOf(state);
    while (takePiece(state_.load(std::memory_order_acquire))) {
    }
  }
}

// Waits for work of another number than `seen`.
uint64_t Team::awaitWork(uint64_t seen) {
  for (int looks = 0; looks < kLooks; ++looks) {
    const uint64_t state = state_.load(std::memory_order_acquire);
    if (workOf(state) != seen || isOver_.load(std::memory_order_relaxed)) return state;
    breathe();
  }
  for (;;) {
    sleepers_.fetch_add(1);
    const uint32_t works = works_.load();
    const uint64_t state = state_.load();
    const bool isThere = workOf(state) != seen || isOver_.load();
    if (isThere) return state;
    works_.wait(works);
  }
}

}  // namespace softprompt
