// A TorchScript archive (.pt) read as data: its tensors by their dotted names, its code as text, its extra files.
// Nothing of it is run.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/checkpoint/torch_archive.h"

namespace softprompt {

class TorchScriptFile final : public TensorSource {
 public:
  // Opens the archive. Throws Error TORCHSCRIPT_INVALID (or FILE_*), naming the file.
  explicit TorchScriptFile(const std::string& path);
  explicit TorchScriptFile(const std::shared_ptr<const ReadFile>& file);

  // False: it holds no code, so it is what torch.save wrote of something else.
  bool isModule() const;
  std::optional<std::string> extra(const std::string& name) const;
  // Every code file and the code's constants by their names within the archive, as they stand there (deflated).
  std::map<std::string, std::string> code() const;
  // Storages in the archive: at least as many as the module has tensors that are not shared.
  size_t storages() const;

  // Must come before tensors() and read(): takes the module apart. Throws TORCHSCRIPT_INVALID where it is more than
  // submodules, tensors and plain attributes.
  void parseModule();

 private:
  friend class ModuleWalk;

  TorchArchive archive_;
};

}  // namespace softprompt
