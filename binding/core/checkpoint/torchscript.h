// A TorchScript archive (.pt) read as data: its tensors by their dotted names, its code as text, its extra files.
// Nothing of it is run.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/checkpoint/tensor_source.h"
#include "core/checkpoint/zip.h"

namespace softprompt {

class TorchScriptFile final : public TensorSource {
 public:
  // Opens the archive. Throws Error TORCHSCRIPT_INVALID (or FILE_*), naming the file.
  explicit TorchScriptFile(const std::string& path);
  explicit TorchScriptFile(std::shared_ptr<const ReadFile> file);

  const std::string& path() const override { return zip_.path(); }
  std::optional<std::string> extra(const std::string& name) const;
  // Every code file and the code's constants by their names within the archive, as they stand there (deflated).
  std::map<std::string, std::string> code() const;

  // Must come before tensors() and read(): takes the module apart. Throws TORCHSCRIPT_INVALID where it is more than
  // submodules, tensors and plain attributes.
  void parseModule();
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  at::Tensor read(const std::string& name) const override;

 private:
  struct Stored {
    std::string entry;  // in the archive
    at::ScalarType type;
    uint64_t offset = 0;  // bytes into the entry
    std::vector<int64_t> shape;
  };
  friend class ModuleWalk;

  [[noreturn]] void invalid(const std::string& what) const;
  const ZipEntry& entry(const std::string& name) const;

  ZipFile zip_;
  std::string prefix_;  // the archive's folder, with its slash
  std::vector<TensorInfo> infos_;
  std::map<std::string, Stored> stored_;
};

}  // namespace softprompt
