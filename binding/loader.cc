// The loader, softprompt.node: Node-API only, so that any Node or Electron can load it where there is no LibTorch at
// all. JavaScript calls
//   open(libtorchLibDir: string, corePath: string): object
// which opens LibTorch from that folder, then the addon beside this module, and gives the addon's exports. What goes
// wrong is a JavaScript error with the dynamic linker's own words. Every environment (main thread, Workers) makes its
// own call; libraries stay open for good. And
//   openCuda(libtorchLibDir: string): null | { part: 'driver' | 'libtorch_cuda', message: string }
// which opens the part of LibTorch that computes on GPUs, or says what could not be opened: then the rest goes on
// without it.
#include <node_api.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "library.h"

namespace {

namespace fs = std::filesystem;
using namespace softprompt;
using Register = napi_value (*)(napi_env, napi_value);

std::string libraryIn(const std::string& dir, const char* name) {
  return dir + "/" + kLibraryPrefix + name + kLibrarySuffix;
}

// What opening gave: the addon's entry point, or the code and text of the failure.
struct Opened {
  Register registerModule = nullptr;
  std::string code;
  std::string message;
};

// What libtorch_cpu needs is opened first and by full path, so that neither an rpath nor LD_LIBRARY_PATH has to lead to
// it.
std::vector<std::string> libtorchFiles(const std::string& dir) {
  std::vector<std::string> files;
  std::error_code unreadable;  // then libc10 is missing too, and the linker says so
  for (const fs::directory_entry& entry : fs::directory_iterator(toPath(dir), unreadable)) {
    if (toUtf8(entry.path().filename()).starts_with(kOpenMpPrefix)) files.push_back(toUtf8(entry.path()));
  }
  for (const char* name : {"c10", "torch_cpu"}) files.push_back(libraryIn(dir, name));
  return files;
}

std::mutex opening;  // one environment at a time: dlerror's text belongs to one call

// Opening a library twice only counts references.
Opened open(const std::string& libtorchLibDir, const std::string& corePath) {
  // OpenMP's threads spin after each parallel region unless told not to before it loads: that would starve Node's own
  // threads.
  setDefault("OMP_WAIT_POLICY", "passive");
  for (const std::string& file : libtorchFiles(libtorchLibDir)) {
    if (!openLibrary(file)) return {nullptr, "LIBTORCH_BROKEN", libraryError()};
  }
  void* core = openLibrary(corePath);
  if (!core) return {nullptr, fs::exists(toPath(corePath)) ? "LIBTORCH_BROKEN" : "ADDON_MISSING", libraryError()};
  auto registerModule = reinterpret_cast<Register>(findSymbol(core, "napi_register_module_v1"));
  if (!registerModule) return {nullptr, "ADDON_MISSING", libraryError()};
  return {registerModule, "", ""};
}

napi_value fail(napi_env env, const std::string& code, const std::string& message) {
  napi_throw_error(env, code.c_str(), message.c_str());
  return nullptr;
}

bool readString(napi_env env, napi_value value, std::string& out) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  out.resize(length + 1);  // Node-API writes a closing zero
  if (napi_get_value_string_utf8(env, value, out.data(), out.size(), &length) != napi_ok) return false;
  out.resize(length);
  return true;
}

bool setString(napi_env env, napi_value object, const char* name, const std::string& text) {
  napi_value value = nullptr;
  return napi_create_string_utf8(env, text.data(), text.size(), &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

// The name of the part that could not be opened, and why.
struct CudaProblem {
  std::string part, message;
};

// libtorch_cuda registers itself with libtorch_cpu when it is opened; nothing names it as needed. Without the driver it
// could not compute, and would take seconds and memory for nothing.
std::optional<CudaProblem> openCuda(const std::string& libtorchLibDir) {
  std::lock_guard<std::mutex> lock(opening);
  if (!openLibrary(kCudaDriver)) return CudaProblem{"driver", libraryError()};
  if (!openLibrary(libraryIn(libtorchLibDir, "torch_cuda"))) return CudaProblem{"libtorch_cuda", libraryError()};
  return std::nullopt;
}

napi_value openCudaFromJs(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value dir;
  std::string libtorchLibDir;
  if (napi_get_cb_info(env, info, &count, &dir, nullptr, nullptr) != napi_ok || count != 1 ||
      !readString(env, dir, libtorchLibDir)) {
    return fail(env, "OPTION_INVALID", "openCuda(libtorchLibDir) takes a string");
  }
  napi_value result = nullptr;
  const std::optional<CudaProblem> problem = openCuda(libtorchLibDir);
  if (!problem) {
    napi_get_null(env, &result);
  } else if (napi_create_object(env, &result) != napi_ok || !setString(env, result, "part", problem->part) ||
             !setString(env, result, "message", problem->message)) {
    return fail(env, "LIBTORCH_BROKEN", problem->message);
  }
  return result;
}

bool exportFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok &&
         napi_set_named_property(env, exports, name, function) == napi_ok;
}

napi_value openFromJs(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  std::string libtorchLibDir, corePath;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 2 ||
      !readString(env, arguments[0], libtorchLibDir) || !readString(env, arguments[1], corePath)) {
    return fail(env, "OPTION_INVALID", "open(libtorchLibDir, corePath) takes two strings");
  }
  Opened opened;
  {
    std::lock_guard<std::mutex> lock(opening);
    opened = open(libtorchLibDir, corePath);
  }
  if (!opened.registerModule) return fail(env, opened.code, opened.message);

  napi_value exports = nullptr;
  if (napi_create_object(env, &exports) != napi_ok)
    return fail(env, "ADDON_MISSING", "no object could be made for the addon's exports");
  napi_value returned = opened.registerModule(env, exports);
  return returned ? returned : exports;  // an exception of the addon is pending then
}

}  // namespace

NAPI_MODULE_INIT() {
  if (!exportFunction(env, exports, "open", openFromJs) || !exportFunction(env, exports, "openCuda", openCudaFromJs)) {
    napi_throw_error(env, "ADDON_MISSING", "the loader could not export its functions");
  }
  return exports;
}
