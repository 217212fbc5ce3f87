// A TorchScript module that someone else made to the contract of docs/torchscript.md. Its code runs: only for files
// that the caller trusts.
#pragma once

#include <memory>
#include <string>

#include "core/t5/executor.h"

namespace softprompt {

// Loads the archive, moves it to `device` (and to `dtype`, unless that is Undefined), freezes it and checks its
// methods. No pause is possible within a method. Throws Error TORCHSCRIPT_INVALID, naming the method that is missing or
// other.
std::unique_ptr<Executor> loadForeignExecutor(const std::string& path, const T5Config& config, at::Device device,
                                              at::ScalarType dtype);

}  // namespace softprompt
