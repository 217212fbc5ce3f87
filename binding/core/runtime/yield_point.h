// Where long work pauses: between layers (forward and backward) and between decoded tokens.
#pragma once

namespace softprompt {

// Called on the compute thread. May throw Cancelled, and may run waiting requests before it returns; grad mode is as it
// was after.
class YieldPoint {
 public:
  virtual ~YieldPoint() = default;
  virtual void pause() = 0;
};

// For callers without a compute thread (tests, tools).
class NeverYields final : public YieldPoint {
 public:
  void pause() override {}
};

}  // namespace softprompt
