#include "core/t5/foreign_executor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/serialization/import.h>

#include <array>
#include <utility>

#include "core/runtime/error.h"
#include "core/t5/build.h"

namespace softprompt {
namespace {

constexpr int64_t kFirstCapacity = 16;

// The contract's methods and the types of their arguments.
constexpr std::array<std::pair<const char*, const char*>, 6> kMethods{
    {{"embed", "(Tensor) -> Tensor"},
     {"encode", "(Tensor, Tensor) -> Tensor"},
     {"decode", "(Tensor, Tensor, Tensor) -> Tensor"},
     {"logits", "(Tensor) -> Tensor"},
     {"start_cache", "(Tensor, int) -> List[Tensor]"},
     {"step", "(Tensor, int, List[Tensor], Tensor) -> Tensor"}}};

std::string signatureOf(const torch::jit::Method& method) {
  const c10::FunctionSchema& schema = method.function().getSchema();
  std::string out = "(";
  for (size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    out += (i > 1 ? ", " : "") + schema.arguments()[i].type()->annotation_str();
  }
  return out + ") -> " + schema.returns().at(0).type()->annotation_str();
}

void checkMethods(const torch::jit::Module& module, const std::string& path) {
  for (const auto& [name, signature] : kMethods) {
    const auto method = module.find_method(name);
    const std::string found = method ? signatureOf(*method) : "missing";
    if (found != signature) {
      throw Error("TORCHSCRIPT_INVALID", path + ": the method " + name + " must be " + signature + ", but it is " +
                                             found + " (docs/torchscript.md has the contract)");
    }
  }
}

// What start_cache gives: keys, values [B, H, capacity, d_kv] and whatever else, in fours for each block; rows first.
class ForeignCache final : public DecoderCache {
 public:
  ForeignCache(c10::List<at::Tensor> tensors, at::Tensor mask) : tensors(std::move(tensors)), mask(std::move(mask)) {}

  void select(const at::Tensor& rows) override {
    c10::NoGradGuard noGrad;
    for (size_t i = 0; i < tensors.size(); ++i) tensors.set(i, tensors.get(i).index_select(0, rows));
    mask = mask.index_select(0, rows);
  }

  void makeRoom() {
    if (length < capacity) return;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (i % 4 > 1) continue;  // keys and values of the encoder
      const at::Tensor old = tensors.get(i);
      at::Tensor larger = at::zeros({old.size(0), old.size(1), 2 * capacity, old.size(3)}, old.options());
      larger.narrow(2, 0, capacity).copy_(old);
      tensors.set(i, larger);
    }
    capacity *= 2;
  }

  c10::List<at::Tensor> tensors;
  at::Tensor mask;
  int64_t length = 0, capacity = kFirstCapacity;
};

class ForeignExecutor final : public Executor {
 public:
  ForeignExecutor(const T5Config& config, torch::jit::Module module) : config_(config), module_(std::move(module)) {
    for (const auto& parameter : module_.named_parameters()) parameters_.emplace_back(parameter.name, parameter.value);
  }

  const T5Config& config() const override { return config_; }
  at::ScalarType dtype() const override { return parameters_.at(0).second.scalar_type(); }
  at::Device device() const override { return parameters_.at(0).second.device(); }

  at::Tensor embed(const at::Tensor& ids) override { return call("embed", {ids}); }
  Encoded encode(const at::Tensor& embeds, const at::Tensor& mask, Pass& pass) override {
    refuseDropout(pass);
    pass.yieldPoint.pause();
    return {call("encode", {embeds.to(dtype()), mask}), mask};
  }
  at::Tensor decode(const at::Tensor& ids, const Encoded& encoded, Pass& pass) override {
    refuseDropout(pass);
    pass.yieldPoint.pause();
    return call("decode", {ids, encoded.hidden, encoded.mask});
  }
  at::Tensor logits(const at::Tensor& decoderHidden) override { return call("logits", {decoderHidden}); }

  std::unique_ptr<DecoderCache> startCache(const Encoded& encoded, Pass& pass) override {
    c10::NoGradGuard noGrad;
    pass.yieldPoint.pause();
    auto tensors = module_.get_method("start_cache")({encoded.hidden, kFirstCapacity}).toTensorList();
    return std::make_unique<ForeignCache>(std::move(tensors), encoded.mask);
  }
  at::Tensor step(const at::Tensor& ids, DecoderCache& decoderCache, Pass& pass) override {
    c10::NoGradGuard noGrad;
    pass.yieldPoint.pause();
    auto& cache = dynamic_cast<ForeignCache&>(decoderCache);
    cache.makeRoom();
    return call("step", {ids, cache.length++, cache.tensors, cache.mask});
  }

  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return parameters_; }

 private:
  at::Tensor call(const char* method, std::vector<c10::IValue> arguments) const {
    return module_.get_method(method)(std::move(arguments)).toTensor();
  }

  static void refuseDropout(const Pass& pass) {
    if (!pass.dropout) return;
    throw Error("OPTION_UNSUPPORTED",
                "dropout inside of a foreign TorchScript module: set dropout 0, or load the folder");
  }

  T5Config config_;
  torch::jit::Module module_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
};

torch::jit::Module loadModule(const std::string& path) {
  useSimpleExecutor();
  try {
    return torch::jit::load(path, c10::Device(c10::kCPU));
  } catch (const std::exception& e) {
    throw Error("TORCHSCRIPT_INVALID", path + " cannot be loaded as TorchScript: " + e.what());
  }
}

}  // namespace

std::unique_ptr<Executor> loadForeignExecutor(const std::string& path, const T5Config& config, at::Device device,
                                              at::ScalarType dtype) {
  torch::jit::Module module = loadModule(path);
  checkMethods(module, path);
  if (module.parameters().size() == 0) throw Error("TORCHSCRIPT_INVALID", path + " has no parameters");
  if (dtype == at::ScalarType::Undefined) {
    module.to(device);
  } else {
    module.to(device, dtype);
  }
  if (module.hasattr("training")) module.eval();
  for (const at::Tensor& parameter : module.parameters()) parameter.requires_grad_(false);
  return std::make_unique<ForeignExecutor>(config, std::move(module));
}

}  // namespace softprompt
