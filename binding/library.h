// Shared libraries and the environment, on POSIX and on Windows. Known to the loader alone. Paths are UTF-8.
#pragma once

#include <stdlib.h>

#include <string>

#include "core/platform/path.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace softprompt {

#if defined(_WIN32)
constexpr const char* kLibraryPrefix = "";
constexpr const char* kLibrarySuffix = ".dll";
constexpr const char* kOpenMpPrefix = "libiomp";
constexpr const char* kCudaDriver = "nvcuda.dll";
#elif defined(__APPLE__)
constexpr const char* kLibraryPrefix = "lib";
constexpr const char* kLibrarySuffix = ".dylib";
constexpr const char* kOpenMpPrefix = "libomp";
constexpr const char* kCudaDriver = "libcuda.dylib";
#else
constexpr const char* kLibraryPrefix = "lib";
constexpr const char* kLibrarySuffix = ".so";
constexpr const char* kOpenMpPrefix = "libgomp";  // libgomp.so.1 in a wheel, libgomp-<hash>.so.1 in an archive
constexpr const char* kCudaDriver = "libcuda.so.1";
#endif

using platform::toPath;
using platform::toUtf8;

#ifdef _WIN32
// For good: a Worker's end closes the module, and must not pull the code from under the compute threads' feet.
inline void* openLibrary(const std::string& path) {
  const std::wstring wide = toPath(path).make_preferred().wstring();
  // The altered search path is the library's own folder, so that what it needs is found beside it. It takes whole paths
  // alone; a bare name (the driver's) is looked for where the system keeps its libraries.
  const DWORD how = toPath(path).is_absolute() ? LOAD_WITH_ALTERED_SEARCH_PATH : LOAD_LIBRARY_SEARCH_SYSTEM32;
  HMODULE module = LoadLibraryExW(wide.c_str(), nullptr, how);
  HMODULE pinned = nullptr;
  if (module) GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, wide.c_str(), &pinned);
  return reinterpret_cast<void*>(module);
}

inline void* findSymbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), name));
}

inline std::string libraryError() {
  const DWORD code = GetLastError();
  wchar_t text[512];
  const DWORD size =
      FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0, text, 512, nullptr);
  const std::string reason = toUtf8(std::filesystem::path(std::wstring(text, size)));
  return (size > 0 ? reason : "error of LoadLibrary") + " (" + std::to_string(code) + ")";
}

inline void setDefault(const char* name, const char* value) {
  if (GetEnvironmentVariableA(name, nullptr, 0) == 0) SetEnvironmentVariableA(name, value);
}
#else
// Local: the symbols serve those that name this library as needed (LibTorch's own libraries, the addon) and nobody else
// in the process. Other native modules may carry a oneDNN or protobuf of theirs. Never unloaded (a Worker's end must
// not pull the code from under the compute threads' feet).
inline void* openLibrary(const std::string& path) {
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

inline void* findSymbol(void* library, const char* name) {
  return dlsym(library, name);
}

inline std::string libraryError() {
  const char* text = dlerror();
  return text ? text : "unknown error of the dynamic linker";
}

inline void setDefault(const char* name, const char* value) {
  setenv(name, value, /*overwrite=*/0);
}
#endif

}  // namespace softprompt
