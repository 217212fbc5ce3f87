#include "core/t5/executor.h"

#include "core/t5/trainable.h"

namespace softprompt {

std::unique_ptr<Trainable> Executor::trainable() {
  return nullptr;
}

}  // namespace softprompt
