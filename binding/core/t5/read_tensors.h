// Tensors from disk into memory on several threads, each checked and hashed on its way.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_source.h"
#include "core/runtime/yield_point.h"

namespace softprompt {

struct TensorRequest {
  const TensorInfo* tensor = nullptr;  // F32, BF16 or F16
  bool isKept = true;                  // false: only its digest is wanted
  at::Tensor place;                    // where to read it, of its shape and the wanted dtype; undefined: anywhere
};

struct ReadTensor {
  at::Tensor values;   // undefined unless kept
  std::string digest;  // ValueDigest of the values as float32
};

// A tensor on the CPU whose memory is made ready to be written once.
at::Tensor emptyForReading(at::IntArrayRef shape, at::ScalarType dtype);

struct ReadOptions {
  at::ScalarType dtype = at::kFloat;  // float32 or bfloat16
  at::Device device = at::kCPU;
  std::function<void(double fraction)> onProgress;  // 0 to 1, on the calling thread
};

// In the order of the requests. Reads straight into the tensors where the file's dtype is the wanted one; else through
// pieces that stay in the cache. Uses as many threads as LibTorch may here; the caller's pauses at its yield point
// meanwhile. Throws Error MODEL_NOT_FINITE or FILE_READ naming file and tensor.
std::vector<ReadTensor> readTensors(const std::vector<TensorRequest>& requests, const ReadOptions& options,
                                    YieldPoint& yieldPoint);

}  // namespace softprompt
