// A small recurrent network behind the Executor interface, for tests of what is built on it: exact to reason about,
// quick, and sensitive to all that must not happen (padding that leaks, rows that are mixed up, a cache out of order).
#pragma once

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "core/generate/generate.h"
#include "core/t5/executor.h"

namespace check {

// float32 in [-scale, scale), the same on every platform.
at::Tensor uniform(std::mt19937& random, at::IntArrayRef shape, double scale);

// The first output of each row.
std::vector<softprompt::Generation> firsts(const std::vector<std::vector<softprompt::Generation>>& answers);

class SmallExecutor final : public softprompt::Executor {
 public:
  explicit SmallExecutor(uint64_t seed = 1, at::ScalarType dtype = at::kFloat);

  const softprompt::T5Config& config() const override { return config_; }
  at::ScalarType dtype() const override { return embedding_.scalar_type(); }
  at::Device device() const override { return at::kCPU; }
  at::Tensor embed(const at::Tensor& ids) override;
  softprompt::Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, softprompt::Pass& pass) override;
  at::Tensor decode(const at::Tensor& ids, const softprompt::Encoded& encoded, softprompt::Pass& pass) override;
  at::Tensor logits(const at::Tensor& decoderHidden) override;
  std::unique_ptr<softprompt::DecoderCache> startCache(const softprompt::Encoded& encoded,
                                                       softprompt::Pass& pass) override;
  at::Tensor step(const at::Tensor& ids, softprompt::DecoderCache& cache, softprompt::Pass& pass) override;
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return {}; }

  int64_t encoded = 0;  // rows that went through encode
  int64_t stepped = 0;  // rows that went through step

 private:
  at::Tensor next(const at::Tensor& ids, const at::Tensor& state, const softprompt::Encoded& encoded);

  softprompt::T5Config config_;
  at::Tensor embedding_;  // [V, d]
  at::Tensor mix_;        // [d, d]
  at::Tensor head_;       // [V, d]
};

}  // namespace check
