// Opening shared libraries, on POSIX and on Windows. Known to the loader alone.
#pragma once

#include <string>

#ifdef _WIN32
#include <windows.h>

#include <filesystem>
#else
#include <dlfcn.h>
#endif

namespace softprompt {

#if defined(_WIN32)
constexpr const char* kLibraryPrefix = "";
constexpr const char* kLibrarySuffix = ".dll";
constexpr const char* kOpenMpPrefix = "libiomp";
#elif defined(__APPLE__)
constexpr const char* kLibraryPrefix = "lib";
constexpr const char* kLibrarySuffix = ".dylib";
constexpr const char* kOpenMpPrefix = "libomp";
#else
constexpr const char* kLibraryPrefix = "lib";
constexpr const char* kLibrarySuffix = ".so";
constexpr const char* kOpenMpPrefix = "libgomp";  // libgomp.so.1 in a wheel, libgomp-<hash>.so.1 in an archive
#endif

#ifdef _WIN32
// For good: a Worker's end closes the module, and must not pull the code from under the compute threads' feet.
inline void* openLibrary(const std::string& path) {
  const std::wstring wide = std::filesystem::u8path(path).wstring();
  // The altered search path is the library's own folder, so that what it needs is found beside it.
  HMODULE module = LoadLibraryExW(wide.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
  HMODULE pinned = nullptr;
  if (module) GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, wide.c_str(), &pinned);
  return module;
}

inline void* findSymbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

inline std::string libraryError() {
  const DWORD code = GetLastError();
  char text[512];
  const DWORD size = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0, text,
                                    sizeof text, nullptr);
  return (size > 0 ? std::string(text, size) : "error of LoadLibrary") + " (" + std::to_string(code) + ")";
}
#else
// Local: the symbols serve those that name this library as needed (LibTorch's own libraries, the addon) and nobody else
// in the process. Other native modules may carry a oneDNN or protobuf of theirs.
inline void* openLibrary(const std::string& path) {
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}

inline void* findSymbol(void* library, const char* name) {
  return dlsym(library, name);
}

inline std::string libraryError() {
  const char* text = dlerror();
  return text ? text : "unknown error of the dynamic linker";
}
#endif

}  // namespace softprompt
