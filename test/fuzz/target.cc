#include "target.h"

#include "core/runtime/error.h"

namespace fuzz {

std::map<std::string, Body>& targets() {
  static std::map<std::string, Body> all;
  return all;
}

void run(Body body, std::string_view bytes) {
  try {
    body(bytes);
  } catch (const softprompt::Error& error) {
    if (error.code().empty() || std::string_view(error.what()).size() > 2000) throw std::logic_error("a poor error");
  }
}

}  // namespace fuzz
