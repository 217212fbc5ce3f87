// Threads that help the calling one with many short pieces of work: a decoding step at batch 1 has dozens of products
// of some microseconds. OpenMP's parallel regions wake their threads and wait for all of them at each; here whoever
// comes takes the next piece, and nobody waits for a helper that has none.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace softprompt {

class Team {
 public:
  explicit Team(int members);  // the calling thread among them
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int members() const { return members_; }

  // part(from, to) for pieces of 0 .. count, `grain` each, on all members; returns when all are done, and their writes
  // are seen. One call at a time, not from within a part; parts must not throw.
  template <class Part>
  void divide(int64_t count, int64_t grain, const Part& part) {
    if (members_ == 1 || count <= grain) {
      if (count > 0) part(int64_t{0}, count);
      return;
    }
    share(
        count, grain,
        [](const void* context, int64_t from, int64_t to) { (*static_cast<const Part*>(context))(from, to); }, &part);
  }

 private:
  using Call = void (*)(const void* context, int64_t from, int64_t to);

  void share(int64_t count, int64_t grain, Call call, const void* context);
  bool takePiece(uint64_t state);
  void help();
  uint64_t awaitWork(uint64_t seen);

  const int members_;
  std::atomic<bool> isOver_{false};
  // The work that is shared now. A helper may read it while the next is being written: it then gets no piece of it.
  std::atomic<Call> call_{nullptr};
  std::atomic<const void*> context_{nullptr};
  std::atomic<int64_t> count_{0}, grain_{1};
  // The number of the work (upper half) and the next piece of it (lower half). On cache lines of
  // their own, as all members write to them.
  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<int64_t> done_{0};  // pieces
  alignas(64) std::atomic<uint32_t> works_{0};
  std::atomic<int> sleepers_{0};
  std::vector<std::thread> helpers_;
};

}  // namespace softprompt
