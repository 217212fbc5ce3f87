#include "core/t5/relative_buckets.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace softprompt {

at::Tensor relativeBuckets(const T5Config& config, int64_t positions, bool bothDirections) {
  const int64_t buckets = config.relativeAttentionNumBuckets / (bothDirections ? 2 : 1), exact = buckets / 2;
  const double logRange =
      std::log(static_cast<double>(config.relativeAttentionMaxDistance) / static_cast<double>(exact));
  const at::Tensor distance = at::arange(1 - positions, positions, at::kLong);
  const at::Tensor near = bothDirections ? distance.abs() : distance.neg().clamp_min(0);
  const at::Tensor first = bothDirections ? (distance > 0).to(at::kLong) * buckets : at::zeros_like(distance);
  at::Tensor far = at::log(near.clamp_min(1).to(at::kFloat) / exact) / logRange * (buckets - exact);
  far = (far.to(at::kLong) + exact).clamp_max(buckets - 1);
  return first + at::where(near < exact, near, far);
}

}  // namespace softprompt
