#include "core/t5/read_tensors.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "core/platform/memory.h"
#include "core/runtime/error.h"
#include "core/t5/numbers.h"
#include "core/t5/value_digest.h"

namespace softprompt {
namespace {

constexpr size_t kPiece = 1 << 16;  // numbers: 256 KB as float32
constexpr int kMostThreads = 16;

// Reads one tensor at a time; its buffers are reused.
class TensorReader {
 public:
  explicit TensorReader(at::ScalarType dtype) : dtype_(dtype) {}

  ReadTensor read(const TensorRequest& request, const std::atomic<bool>& isStopped) {
    const TensorInfo& tensor = *request.tensor;
    ReadTensor out;
    if (request.isKept) {
      out.values = request.place.defined() ? request.place : emptyForReading(tensor.shape, dtype_);
    }
    char* to = request.isKept ? static_cast<char*>(out.values.mutable_data_ptr()) : nullptr;
    TensorCursor cursor(tensor);
    ValueDigest digest;
    for (auto left = static_cast<size_t>(tensor.elements()); left > 0 && !isStopped;) {
      const size_t n = std::min(left, kPiece);
      const float* values = piece(tensor, cursor, to, n);
      if (!allFinite(values, n)) {
        throw Error("MODEL_NOT_FINITE", tensor.place.file->path() + ": the tensor " + tensor.name +
                                            " holds NaN or infinity; the file is damaged or the training diverged");
      }
      digest.update(values, n);
      if (to) to += n * (dtype_ == at::kFloat ? 4 : 2);
      left -= n;
    }
    out.digest = digest.hex();
    return out;
  }

 private:
  // The next n numbers, as float32; written to `to` in the wanted dtype if there is such a place.
  const float* piece(const TensorInfo& tensor, TensorCursor& cursor, char* to, size_t n) {
    const bool isFloat = dtype_ == at::kFloat;
    if (tensor.dtype == "F32") {
      float* values = to && isFloat ? reinterpret_cast<float*>(to) : floats_.data();
      cursor.next(values, n);
      if (to && !isFloat) floatToBfloat16(values, reinterpret_cast<uint16_t*>(to), n);
      return values;
    }
    const bool isBfloat16 = tensor.dtype == "BF16";
    uint16_t* raw = to && !isFloat && isBfloat16 ? reinterpret_cast<uint16_t*>(to) : halves_.data();
    float* values = to && isFloat ? reinterpret_cast<float*>(to) : floats_.data();
    cursor.next(raw, n);
    (isBfloat16 ? bfloat16ToFloat : float16ToFloat)(raw, values, n);
    if (to && !isFloat && !isBfloat16) floatToBfloat16(values, reinterpret_cast<uint16_t*>(to), n);
    return values;
  }

  at::ScalarType dtype_;
  std::vector<float> floats_ = std::vector<float>(kPiece);
  std::vector<uint16_t> halves_ = std::vector<uint16_t>(kPiece);
};

// The threads, and what they hand to the caller's.
class Crew {
 public:
  Crew(const std::vector<TensorRequest>& requests, const ReadOptions& options)
      : requests_(requests), options_(options), results_(requests.size()), order_(requests.size()) {
    // The largest first: at the end no thread is left alone with one.
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
      return requests_[a].tensor->elements() > requests_[b].tensor->elements();
    });
    const auto threads = std::min<size_t>(requests.size(), std::clamp(at::get_num_threads(), 1, kMostThreads));
    mostReady_ = 2 * threads;
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Crew() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  std::vector<ReadTensor> finish(YieldPoint& yieldPoint) {
    int64_t total = 0, done = 0;
    for (const TensorRequest& request : requests_) total += request.tensor->elements();
    for (size_t finished = 0; finished < requests_.size();) {
      if (const auto index = nextReady()) {
        const ReadTensor& read = results_[*index];
        if (read.values.defined()) results_[*index].values = read.values.to(options_.device);
        ++finished;
        done += requests_[*index].tensor->elements();
        if (options_.onProgress) options_.onProgress(static_cast<double>(done) / static_cast<double>(total));
      }
      yieldPoint.pause();
    }
    return std::move(results_);
  }

 private:
  void work() {
    TensorReader reader(options_.dtype);
    try {
      while (!isStopped_) {
        const size_t next = next_++;
        if (next >= order_.size()) return;
        const size_t index = order_[next];
        ReadTensor read = reader.read(requests_[index], isStopped_);
        std::unique_lock lock(mutex_);
        hasRoom_.wait(lock, [&] { return ready_.size() < mostReady_ || isStopped_; });
        results_[index] = std::move(read);
        ready_.push_back(index);
        isReady_.notify_one();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      isReady_.notify_one();
    }
  }

  // Nothing after a while, so that the caller can pause.
  std::optional<size_t> nextReady() {
    std::unique_lock lock(mutex_);
    isReady_.wait_for(lock, std::chrono::milliseconds(20), [&] { return failure_ || !ready_.empty(); });
    if (failure_) std::rethrow_exception(failure_);
    if (ready_.empty()) return std::nullopt;
    const size_t index = ready_.back();
    ready_.pop_back();
    hasRoom_.notify_one();
    return index;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    isStopped_ = true;
    hasRoom_.notify_all();
  }

  const std::vector<TensorRequest>& requests_;
  const ReadOptions& options_;
  std::vector<ReadTensor> results_;
  std::vector<size_t> order_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> isStopped_{false};
  std::mutex mutex_;
  std::condition_variable isReady_, hasRoom_;
  std::vector<size_t> ready_;
  size_t mostReady_ = 0;  // tensors that wait to be moved to another device: bounds the memory they take
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace

at::Tensor emptyForReading(at::IntArrayRef shape, at::ScalarType dtype) {
  at::Tensor out = at::empty(shape, at::TensorOptions().dtype(dtype));
  platform::wantHugePages(out.mutable_data_ptr(), out.nbytes());
  return out;
}

std::vector<ReadTensor> readTensors(const std::vector<TensorRequest>& requests, const ReadOptions& options,
                                    YieldPoint& yieldPoint) {
  return Crew(requests, options).finish(yieldPoint);
}

}  // namespace softprompt
