// What torch.save and TorchScript have in common: a zip archive with a folder that holds data.pkl, the storages under
// data/, and perhaps the order of bytes.
#pragma once

#include <memory>
#include <string>

#include "core/checkpoint/pickle.h"
#include "core/checkpoint/tensor_source.h"
#include "core/checkpoint/zip.h"

namespace softprompt {

class TorchArchive {
 public:
  // Throws an Error of that code (or FILE_*), naming the file.
  TorchArchive(std::shared_ptr<const ReadFile> file, const char* errorCode);

  const ZipFile& zip() const { return zip_; }
  const std::string& prefix() const { return prefix_; }  // the archive's folder, with its slash
  // By its name within the folder.
  const ZipEntry* find(const std::string& name) const { return zip_.find(prefix_ + name); }
  const ZipEntry& entry(const std::string& name) const;
  // Throws PickleSyntax.
  Pickle pickle() const;
  // `value` is of kind kTensor. Its storage, shape and strides are checked: every number lies inside its storage.
  TensorInfo tensorOf(const PickleValue& value, const std::string& name) const;
  // Tensors may share storages, as a tied embedding does, but not so often that a small file fills the memory.
  void checkTotal(const std::vector<TensorInfo>& tensors) const;
  [[noreturn]] void fail(const std::string& what) const { zip_.fail(what); }

 private:
  ZipFile zip_;
  std::string prefix_;
};

}  // namespace softprompt
