// Errors of the core. Every failure carries a stable code that TypeScript turns into its typed error.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace softprompt {

// `code` is upper snake case and never changes once released (src/errors.ts lists them all); `message` names the file,
// tensor, option or row and says what to do.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

// Thrown at a yield point when the running job was aborted. Not an Error: nothing went wrong.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace softprompt
