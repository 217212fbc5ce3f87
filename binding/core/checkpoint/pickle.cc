#include "core/checkpoint/pickle.h"

#include <bit>
#include <unordered_map>

namespace softprompt {

using Kind = PickleValue::Kind;

// The stack machine of pickle protocol 2, as far as PyTorch's own writers use it.
class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, std::deque<PickleValue>& values) : bytes_(bytes), values_(values) {}

  const PickleValue* run() {
    while (true) {
      const uint8_t opcode = byte();
      if (opcode == '.') break;
      execute(opcode);
    }
    if (at_ != bytes_.size()) fail("bytes after its end");
    if (stack_.size() != 1 || !marks_.empty()) fail("it leaves no single value");
    return stack_[0];
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw PickleSyntax("its pickle is refused: " + what + " at byte " + std::to_string(at_));
  }

  std::string_view take(size_t n) {
    if (n > bytes_.size() - at_) fail("it is cut short");
    const std::string_view out = bytes_.substr(at_, n);
    at_ += n;
    return out;
  }
  uint8_t byte() { return static_cast<uint8_t>(take(1)[0]); }
  uint64_t number(size_t n) {
    uint64_t out = 0;
    const std::string_view raw = take(n);
    for (size_t i = n; i-- > 0;) out = out << 8 | static_cast<unsigned char>(raw[i]);
    return out;
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("it is cut short");
    const std::string_view out = take(end - at_);
    take(1);
    return out;
  }

  PickleValue* make(Kind kind) {
    values_.emplace_back().kind = kind;
    return &values_.back();
  }
  PickleValue* push(Kind kind) {
    stack_.push_back(make(kind));
    return stack_.back();
  }
  void pushInteger(int64_t value) { push(Kind::kInt)->integer = value; }

  // Values below a mark belong to what is being built outside of it.
  PickleValue* pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("its stack is empty");
    PickleValue* out = stack_.back();
    stack_.pop_back();
    return out;
  }
  PickleValue* top(Kind kind) {
    PickleValue* out = pop();
    stack_.push_back(out);
    if (out->kind != kind) fail("an operation on another kind of value");
    return out;
  }
  std::vector<const PickleValue*> popToMark() {
    if (marks_.empty()) fail("a mark is missing");
    const auto start = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    marks_.pop_back();
    std::vector<const PickleValue*> out(start, stack_.end());
    stack_.erase(start, stack_.end());
    return out;
  }

  void put(uint64_t slot) {
    PickleValue* value = pop();
    stack_.push_back(value);
    memo_[slot] = value;
  }
  void get(uint64_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) fail("an unknown reference");
    stack_.push_back(found->second);
  }

  void tuple(std::vector<const PickleValue*> items) { push(Kind::kTuple)->items = std::move(items); }
  void tupleOf(size_t size) {
    std::vector<const PickleValue*> items(size);
    for (size_t i = size; i-- > 0;) items[i] = pop();
    tuple(std::move(items));
  }

  void extend(Kind kind, const std::vector<const PickleValue*>& items) {
    if (kind == Kind::kDict && items.size() % 2 != 0) fail("a key without a value");
    PickleValue* container = top(kind);
    container->items.insert(container->items.end(), items.begin(), items.end());
  }
  void setItem() {
    const PickleValue *value = pop(), *key = pop();
    extend(Kind::kDict, {key, value});
  }
  void appendItem() {
    const PickleValue* value = pop();
    extend(Kind::kList, {value});
  }

  void global() {
    const std::string_view module = line(), name = line();
    push(Kind::kGlobal)->text = std::string(module) + "." + std::string(name);
  }
  // cls.__new__(cls) of a TorchScript class: an object without state.
  void newObject() {
    const PickleValue *arguments = pop(), *type = pop();
    if (!arguments->isTuple(0) || type->kind != Kind::kGlobal || !type->text.starts_with("__torch__.")) {
      fail("an object that is no TorchScript module");
    }
    push(Kind::kObject)->text = type->text;
  }
  void reduce() {
    const PickleValue *arguments = pop(), *callable = pop();
    if (callable->kind != Kind::kGlobal || arguments->kind != Kind::kTuple) fail("a call of something that is no name");
    if (callable->text == "torch._utils._rebuild_tensor_v2") {
      push(Kind::kTensor)->items = arguments->items;
    } else if (callable->text == "collections.OrderedDict" && arguments->items.empty()) {
      push(Kind::kDict);
    } else {
      fail("it calls " + callable->text);
    }
  }
  void build() {
    const PickleValue* state = pop();
    PickleValue* object = top(Kind::kObject);
    if (object->state) fail("an object is built twice");
    object->state = state;
  }
  void storage() {
    const PickleValue* id = pop();
    if (!id->isTuple(5) || id->items[0]->text != "storage") fail("an unknown persistent id");
    push(Kind::kStorage)->items = id->items;
  }

  void longInteger() {
    const size_t size = byte();
    if (size > 8) fail("an integer of more than 64 bits");
    const uint64_t raw = size == 0 ? 0 : number(size);
    const int shift = static_cast<int>(64 - 8 * size);
    pushInteger(size == 0 ? 0 : static_cast<int64_t>(raw << shift) >> shift);
  }
  void real() {
    uint64_t bits = 0;  // big-endian, alone among the numbers
    for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
    push(Kind::kReal)->real = std::bit_cast<double>(bits);
  }

  void execute(uint8_t opcode) {
    switch (opcode) {
      case 0x80:  // PROTO
        if (byte() != 2) fail("an unknown protocol");
        return;
      case '(':
        marks_.push_back(stack_.size());
        return;
      case 'N':
        push(Kind::kNone);
        return;
      case 0x88:
      case 0x89:
        push(Kind::kBool)->integer = opcode == 0x88;
        return;
      case 'J':
        return pushInteger(static_cast<int32_t>(number(4)));
      case 'K':
        return pushInteger(static_cast<int64_t>(number(1)));
      case 'M':
        return pushInteger(static_cast<int64_t>(number(2)));
      case 0x8a:
        return longInteger();
      case 'G':
        return real();
      case 'X':
        push(Kind::kString)->text = take(number(4));
        return;
      case ')':
        return tuple({});
      case 't':
        return tuple(popToMark());
      case 0x85:
      case 0x86:
      case 0x87:
        return tupleOf(opcode - 0x84);
      case ']':
        push(Kind::kList);
        return;
      case '}':
        push(Kind::kDict);
        return;
      case 'a':
        return appendItem();
      case 'e':
        return extend(Kind::kList, popToMark());
      case 's':
        return setItem();
      case 'u':
        return extend(Kind::kDict, popToMark());
      case 'q':
        return put(number(1));
      case 'r':
        return put(number(4));
      case 'h':
        return get(number(1));
      case 'j':
        return get(number(4));
      case 'c':
        return global();
      case 0x81:
        return newObject();
      case 'R':
        return reduce();
      case 'b':
        return build();
      case 'Q':
        return storage();
      default:
        fail("opcode " + std::to_string(opcode));
    }
  }

  std::string_view bytes_;
  std::deque<PickleValue>& values_;
  size_t at_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

Pickle::Pickle(std::string_view bytes) {
  root_ = PickleMachine(bytes, values_).run();
}

}  // namespace softprompt
