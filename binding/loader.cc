// The loader, softprompt.node: Node-API only, so that any Node or Electron can load it where there is no LibTorch at
// all. JavaScript calls
//   open(libtorchLibDir: string, corePath: string): object
// which opens LibTorch from that folder, then the addon beside this module, and gives the addon's exports. What goes
// wrong is a JavaScript error with the dynamic linker's own words. Every environment (main thread, Workers) makes its
// own call; libraries stay open for good.
#include <node_api.h>

#include <filesystem>
#include <mutex>
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

napi_value openFromJs(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  std::string libtorchLibDir, corePath;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 2 ||
      !readString(env, arguments[0], libtorchLibDir) || !readString(env, arguments[1], corePath)) {
    return fail(env, "OPTION_INVALID", "open(libtorchLibDir, corePath) takes two strings");
  }
  static std::mutex opening;  // one environment at a time: dlerror's text belongs to one call
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
  napi_value open = nullptr;
  if (napi_create_function(env, "open", NAPI_AUTO_LENGTH, openFromJs, nullptr, &open) != napi_ok ||
      napi_set_named_property(env, exports, "open", open) != napi_ok) {
    napi_throw_error(env, "ADDON_MISSING", "the loader could not export open()");
  }
  return exports;
}
