// A checkpoint's tensors, checked against the config and brought to one form: the names of parameterSpecs, one dtype
// and device, and "lm_head.weight" only where the head is not the embedding.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/tensor_source.h"
#include "core/runtime/yield_point.h"
#include "core/t5/config.h"

namespace softprompt {

struct WeightOptions {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  std::function<void(double fraction)> onProgress;   // 0 to 1
  std::vector<std::vector<std::string>> sideBySide;  // names of matrices of one width to read into one piece of memory
};

struct Weights {
  NamedTensors tensors;     // in the order of the forward pass, the head last
  std::string fingerprint;  // of the config's maths and of every value as float32, whatever dtype was asked for
};

// Of tensors by name, in any order, whose values are hashed as float32.
class Fingerprint {
 public:
  void add(const std::string& name, const at::Tensor& values);
  void addDigest(const std::string& name, at::IntArrayRef shape,
                 const std::string& digest);  // ValueDigest of the values
  std::string hex(const T5Config& config) const;

 private:
  std::map<std::string, std::string> digests_;
};

// Throws Error MODEL_TENSOR_*, MODEL_NOT_FINITE and what the source throws; pauses between tensors.
Weights readWeights(const TensorSource& source, const T5Config& config, const WeightOptions& options,
                    YieldPoint& yieldPoint);

}  // namespace softprompt
