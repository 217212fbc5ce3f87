// A restricted reader of pickles: it builds plain values and knows a handful of names. It calls nothing, imports
// nothing, refuses every operation and every name that a tensor file does not need, and bounds what it allocates.
#pragma once

#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace softprompt {

struct PickleValue {
  enum class Kind { kNone, kBool, kInt, kReal, kString, kTuple, kList, kDict, kGlobal, kObject, kStorage, kTensor };

  Kind kind = Kind::kNone;
  int64_t integer = 0;  // kBool, kInt
  double real = 0;
  std::string text;                       // kString; kGlobal: "module.name"; kObject: its class
  std::vector<const PickleValue*> items;  // kTuple, kList; kDict: keys and values in turn
                                          // kStorage: ("storage", type, key, location, size), of the right kinds
                                          // kTensor: (storage, offset, shape, strides, ...) as written, 4 to 8
  const PickleValue* state = nullptr;     // kObject: what BUILD gave it, null before

  bool isTuple(size_t size) const { return kind == Kind::kTuple && items.size() == size; }
};

class PickleSyntax : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The values of one pickle; they live as long as this does, and may refer to each other in any way (even in circles:
// walk them with a limit).
class Pickle {
 public:
  // Throws PickleSyntax.
  explicit Pickle(std::string_view bytes);
  const PickleValue& root() const { return *root_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
};

}  // namespace softprompt
