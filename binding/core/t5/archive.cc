#include "core/t5/archive.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/jit/api/module.h>

#include <ostream>
#include <streambuf>

#include "core/checkpoint/atomic_file.h"
#include "core/checkpoint/json.h"
#include "core/runtime/error.h"
#include "core/t5/build.h"
#include "core/t5/parameters.h"

namespace softprompt {
namespace {

constexpr int64_t kFormat = 1;

// A stream into an AtomicFile. A failed write is kept and thrown later: exceptions do not pass through streams.
class AtomicStream final : public std::streambuf {
 public:
  explicit AtomicStream(AtomicFile& file) : file_(file) {}
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::streamsize xsputn(const char* bytes, std::streamsize n) override {
    try {
      if (!failure_) file_.write(bytes, static_cast<size_t>(n));
    } catch (...) {
      failure_ = std::current_exception();
    }
    return failure_ ? 0 : n;
  }
  int overflow(int c) override {
    if (c == traits_type::eof()) return 0;
    const char byte = static_cast<char>(c);
    return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
  }

  AtomicFile& file_;
  std::exception_ptr failure_;
};

std::string manifestJson(const ArchiveManifest& manifest) {
  return "{\"format\": " + std::to_string(kFormat) + ", \"fingerprint\": " + jsonQuoted(manifest.fingerprint) +
         ", \"held\": " + jsonQuoted(manifest.held) + "}\n";
}

std::optional<ArchiveManifest> parseManifest(const std::string& text) {
  Json json;
  try {
    json = parseJson(text);
  } catch (const JsonSyntax&) {
    return std::nullopt;
  }
  const Json *format = json.find("format"), *fingerprint = json.find("fingerprint"), *held = json.find("held");
  if (!format || !format->integer() || *format->integer() != kFormat) return std::nullopt;
  if (!fingerprint || !fingerprint->string() || !held || !held->string()) return std::nullopt;
  return ArchiveManifest{*fingerprint->string(), *held->string()};
}

// Collects what the serialiser writes.
class MemoryStream final : public std::streambuf {
 public:
  std::string bytes;

 private:
  std::streamsize xsputn(const char* from, std::streamsize n) override {
    bytes.append(from, static_cast<size_t>(n));
    return n;
  }
  int overflow(int c) override {
    if (c != traits_type::eof()) bytes += static_cast<char>(c);
    return 0;
  }
};

// The code that buildModule gives for a config, as the serialiser prints and deflates it: it depends on the names of
// the tensors alone, so empty ones do.
std::map<std::string, std::string> expectedCode(const T5Config& config, bool hasLmHead) {
  NamedTensors tensors;
  for (const ParameterSpec& spec : parameterSpecs(config)) tensors.emplace_back(spec.name, at::empty({0}));
  if (hasLmHead) tensors.emplace_back("lm_head.weight", at::empty({0}));
  MemoryStream buffer;
  std::ostream stream(&buffer);
  buildModule(config, tensors).save(stream);
  return TorchScriptFile(std::make_shared<ReadFile>("a module", std::move(buffer.bytes))).code();
}

}  // namespace

struct ArchiveWriter::State {
  explicit State(const std::string& path) : file(path) {}
  AtomicFile file;
};

ArchiveWriter::ArchiveWriter(const std::string& path) : state_(std::make_unique<State>(path)) {}
ArchiveWriter::~ArchiveWriter() = default;

void ArchiveWriter::write(const torch::jit::Module& module, const std::string& configJson,
                          const ArchiveManifest& manifest) {
  AtomicStream buffer(state_->file);
  std::ostream stream(&buffer);
  const torch::jit::ExtraFilesMap extra{{"config.json", configJson}, {"softprompt.json", manifestJson(manifest)}};
  try {
    module.save(stream, extra);
  } catch (...) {
    buffer.rethrow();  // the reason, rather than what the serialiser made of it
    throw;
  }
  buffer.rethrow();
  state_->file.commit();
}

std::optional<ArchiveManifest> ownManifest(const TorchScriptFile& file) {
  const auto manifestText = file.extra("softprompt.json"), configText = file.extra("config.json");
  if (!manifestText || !configText) return std::nullopt;
  const auto manifest = parseManifest(*manifestText);
  if (!manifest) return std::nullopt;
  const T5Config config = parseConfig(*configText, file.path() + "/config.json");
  // Building the expected code of a huge config takes long: only for a file that has as many tensors.
  if (file.storages() < parameterSpecs(config).size()) return std::nullopt;
  const auto code = file.code();
  if (code != expectedCode(config, true) && code != expectedCode(config, false)) return std::nullopt;
  return manifest;
}

}  // namespace softprompt
