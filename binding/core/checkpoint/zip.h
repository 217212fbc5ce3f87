// The zip archives that PyTorch writes: stored entries (its code is deflated, and only handed out as it is), zip64
// where needed. Every field is checked against the file before it is used.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/checkpoint/read_file.h"

namespace softprompt {

struct ZipEntry {
  std::string name;
  uint64_t offset = 0;  // of its bytes in the file
  uint64_t bytes = 0;   // as they stand in the file
  bool isStored = true;
  uint32_t crc = 0;
};

class ZipFile {
 public:
  // Throws an Error of that code (or FILE_*), naming the file.
  ZipFile(std::shared_ptr<const ReadFile> file, const char* errorCode);

  const std::string& path() const { return file_->path(); }
  const std::shared_ptr<const ReadFile>& file() const { return file_; }
  const std::vector<ZipEntry>& entries() const { return entries_; }  // in the directory's order, no two overlapping
  const ZipEntry* find(const std::string& name) const;
  // The bytes of a small entry as they stand in the file, deflated or not.
  std::string raw(const ZipEntry& entry) const;
  // A small stored entry, its checksum compared.
  std::string text(const ZipEntry& entry) const;
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::shared_ptr<const ReadFile> file_;
  const char* errorCode_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace softprompt
