// Any exception as what crosses to JavaScript: a code and a message.
#pragma once

#include <exception>
#include <string>

namespace softprompt {

struct Failure {
  std::string code;
  std::string message;
};

// Error keeps its code, Cancelled is CANCELLED, all else INTERNAL with the message alone (LibTorch's without the C++
// stack).
Failure describeFailure(const std::exception_ptr& failure);

}  // namespace softprompt
