#include <windows.h>

#include <algorithm>

#include "core/platform/file.h"

namespace softprompt::platform {
namespace {

constexpr size_t kMostAtOnce = 1 << 30;
constexpr DWORD kShared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

HANDLE handleOf(intptr_t handle) {
  return reinterpret_cast<HANDLE>(handle);
}

// INVALID_HANDLE_VALUE is -1.
intptr_t open(const std::string& path, DWORD access, DWORD share, DWORD how) {
  return reinterpret_cast<intptr_t>(
      ::CreateFileW(toPath(path).c_str(), access, share, nullptr, how, FILE_ATTRIBUTE_NORMAL, nullptr));
}

std::string inUtf8(const wchar_t* text, DWORD size) {
  return toUtf8(std::filesystem::path(std::wstring(text, size)));
}

DWORD attributesOf(const std::string& path) {
  return ::GetFileAttributesW(toPath(path).c_str());
}

// Devices (NUL, COM1) and pipes are not on a disk.
bool isOnDisk(intptr_t handle) {
  return ::GetFileType(handleOf(handle)) == FILE_TYPE_DISK;
}

}  // namespace

Failure lastFailure() {
  const DWORD code = ::GetLastError();
  wchar_t text[512];
  DWORD size = ::FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0, text, 512,
                                nullptr);
  while (size > 0 && (text[size - 1] == L'\n' || text[size - 1] == L'\r' || text[size - 1] == L'.')) --size;
  const std::string number = "error " + std::to_string(code) + " of Windows";
  return {code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND || code == ERROR_INVALID_NAME,
          size > 0 ? inUtf8(text, size) + " (" + number + ")" : number};
}

bool File::openToRead(const std::string& path) {
  close();
  handle_ = open(path, GENERIC_READ, kShared, OPEN_EXISTING);
  return isOpen();
}

bool File::create(const std::string& path) {
  close();
  handle_ = open(path, GENERIC_WRITE, FILE_SHARE_READ, CREATE_NEW);
  return isOpen();
}

// The lock is that no one else may open the file for writing; for reading (who holds it?) they may.
Lock File::openLocked(const std::string& path) {
  close();
  handle_ = open(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, OPEN_ALWAYS);
  if (isOpen()) return Lock::held;
  return ::GetLastError() == ERROR_SHARING_VIOLATION ? Lock::busy : Lock::failed;
}

bool File::isOpen() const {
  return handle_ != -1;
}

bool File::isPlain() const {
  return isOnDisk(handle_);  // a folder does not open
}

uint64_t File::size() const {
  LARGE_INTEGER size{};
  return ::GetFileSizeEx(handleOf(handle_), &size) ? static_cast<uint64_t>(size.QuadPart) : 0;
}

int64_t File::readAt(uint64_t offset, void* to, size_t n) const {
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD got = 0;
  if (::ReadFile(handleOf(handle_), to, static_cast<DWORD>(std::min(n, kMostAtOnce)), &got, &at)) return got;
  return ::GetLastError() == ERROR_HANDLE_EOF ? 0 : -1;
}

bool File::write(const void* from, size_t n) {
  for (const char* at = static_cast<const char*>(from); n > 0;) {
    DWORD put = 0;
    const auto wanted = static_cast<DWORD>(std::min(n, kMostAtOnce));
    if (!::WriteFile(handleOf(handle_), at, wanted, &put, nullptr) || put == 0) return false;
    at += put;
    n -= put;
  }
  return true;
}

bool File::sync() {
  return ::FlushFileBuffers(handleOf(handle_));
}

void File::close() {
  if (!isOpen()) return;
  const DWORD failure = ::GetLastError();  // who asks for the last failure means the one before
  ::CloseHandle(handleOf(handle_));
  ::SetLastError(failure);
  handle_ = -1;
}

bool isFile(const std::string& path) {
  const DWORD attributes = attributesOf(path);
  return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE));
}

bool isFolder(const std::string& path) {
  const DWORD attributes = attributesOf(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

// A device has no attributes, or its own, but it opens.
bool isSpecial(const std::string& path) {
  if (isFolder(path)) return true;
  File file;
  return file.openToRead(path) && !file.isPlain();
}

bool remove(const std::string& path) {
  return ::DeleteFileW(toPath(path).c_str());
}

bool replace(const std::string& from, const std::string& to) {
  return ::MoveFileExW(toPath(from).c_str(), toPath(to).c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
}

void syncFolderOf(const std::string&) {}  // MOVEFILE_WRITE_THROUGH has done it

unsigned long processId() {
  return ::GetCurrentProcessId();
}

}  // namespace softprompt::platform
