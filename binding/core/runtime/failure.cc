#include "core/runtime/failure.h"

#include <c10/util/Exception.h>

#include <new>

#include "core/runtime/error.h"

namespace softprompt {

namespace {

// TorchScript puts a C++ or script stack behind its messages.
std::string withoutStack(const std::string& message) {
  std::string text = message.substr(0, message.find("\nException raised from "));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

Failure describeFailure(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const Cancelled&) {
    return {"CANCELLED", "The call was cancelled"};
  } catch (const std::bad_alloc&) {
    return {"INTERNAL", "Out of memory: use smaller batches, shorter inputs or a smaller model"};
  } catch (const c10::Error& error) {
    return {"INTERNAL", withoutStack(error.what_without_backtrace())};
  } catch (const std::exception& error) {
    return {"INTERNAL", withoutStack(error.what())};
  } catch (...) {
    return {"INTERNAL", "An unknown exception was thrown"};
  }
}

}  // namespace softprompt
