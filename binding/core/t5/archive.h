// The model as a TorchScript archive: what convert writes, and how a file is known to be of that make.
#pragma once

#include <string>

#include "core/checkpoint/torchscript.h"
#include "core/t5/config.h"

namespace torch::jit {
struct Module;
}

namespace softprompt {

// The extra file "softprompt.json".
struct ArchiveManifest {
  std::string fingerprint;  // of the checkpoint that was converted
  std::string held;         // of the values in the archive; the same unless they were rounded to bfloat16
};

// Writes beside, syncs and renames; `config` is the config.json's text. Throws Error FILE_WRITE.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(const std::string& path);  // a path that cannot be written is found here
  ~ArchiveWriter();
  void write(const torch::jit::Module& module, const std::string& configJson, const ArchiveManifest& manifest);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The archive's manifest if its code is, to the letter, what this version writes for the archive's own config; nothing
// for any other file. Throws what parseConfig does.
std::optional<ArchiveManifest> ownManifest(const TorchScriptFile& file);

}  // namespace softprompt
