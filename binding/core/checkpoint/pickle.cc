#include "core/checkpoint/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_map>

#include "core/checkpoint/json.h"

namespace softprompt {

using Kind = PickleValue::Kind;

namespace {

// A checkpoint of 10,000 tensors takes 2 MB and 200,000 values: bounds on what a pickle can make this allocate.
constexpr size_t kMaxBytes = 4 << 20, kMaxValues = 300'000, kMaxName = 256, kMostArguments = 8;

constexpr std::array<std::string_view, 4> kGlobals{"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
                                                   "collections.OrderedDict",
                                                   // what a TorchScript list of known type is wrapped in
                                                   "torch.jit._pickle.restore_type_tag"};

bool isStorageName(std::string_view name) {
  return name.starts_with("torch.") && name.ends_with("Storage") && name.find('.', 6) == std::string_view::npos;
}

bool isModuleName(std::string_view name) {
  return name.starts_with("__torch__.");
}

}  // namespace

// The stack machine of pickle protocols 2 to 5, as far as PyTorch's own writers use it.
class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, std::deque<PickleValue>& values) : bytes_(bytes), values_(values) {}

  const PickleValue* run() {
    if (bytes_.size() > kMaxBytes) fail("it has more than " + std::to_string(kMaxBytes >> 20) + " MB");
    while (true) {
      const uint8_t opcode = byte();
      if (opcode == '.') break;
      execute(opcode);
      if (std::max({stack_.size(), marks_.size(), memo_.size()}) > kMaxValues) fail("too many values");
    }
    if (at_ != bytes_.size()) fail("bytes after its end,");
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
    if (values_.size() >= kMaxValues) fail("too many values");
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

  void string(std::string_view text) {
    if (!isUtf8(text)) fail("a text that is not UTF-8");
    push(Kind::kString)->text = text;
  }

  // A name is only a name here; and any but those that a checkpoint needs is refused at once.
  void globalOf(std::string_view module, std::string_view name) {
    if (module.size() + name.size() > kMaxName) fail("a name of unreasonable length");
    const std::string whole = std::string(module) + "." + std::string(name);
    if (!isUtf8(whole)) fail("a text that is not UTF-8");
    if (std::find(kGlobals.begin(), kGlobals.end(), whole) == kGlobals.end() && !isStorageName(whole) &&
        !isModuleName(whole)) {
      fail("it asks for " + whole + ", which no checkpoint needs,");
    }
    push(Kind::kGlobal)->text = whole;
  }
  void global() {
    const std::string_view module = line(), name = line();
    globalOf(module, name);
  }
  void stackGlobal() {
    const PickleValue *name = pop(), *module = pop();
    if (name->kind != Kind::kString || module->kind != Kind::kString) fail("a name that is no text");
    globalOf(module->text, name->text);
  }
  // cls.__new__(cls) of a TorchScript class: an object without state.
  void newObject() {
    const PickleValue *arguments = pop(), *type = pop();
    if (!arguments->isTuple(0) || type->kind != Kind::kGlobal || !isModuleName(type->text)) {
      fail("an object that is no TorchScript module");
    }
    push(Kind::kObject)->text = type->text;
  }
  void reduce() {
    const PickleValue *arguments = pop(), *callable = pop();
    if (callable->kind != Kind::kGlobal || arguments->kind != Kind::kTuple) fail("a call of something that is no name");
    const std::vector<const PickleValue*>& given = arguments->items;
    if (callable->text == "torch._utils._rebuild_tensor_v2" && given.size() >= 4 && given.size() <= kMostArguments) {
      push(Kind::kTensor)->items = given;
    } else if (callable->text == "torch._utils._rebuild_parameter" && given.size() == 3) {
      if (given[0]->kind != Kind::kTensor) fail("a parameter that is no tensor");
      push(Kind::kTensor)->items = given[0]->items;
    } else if (callable->text == "collections.OrderedDict" && given.empty()) {
      push(Kind::kDict);
    } else if (callable->text == "torch.jit._pickle.restore_type_tag" && given.size() == 2) {
      push(Kind::kTuple);  // no tensor's business: its value is not looked at
    } else {
      fail("it calls " + callable->text + " in an unknown way");
    }
  }
  void build() {
    const PickleValue* state = pop();
    PickleValue* object = pop();
    stack_.push_back(object);
    if (object->kind == Kind::kDict) return;  // an OrderedDict's attributes (_metadata): not needed
    if (object->kind != Kind::kObject) fail("an operation on another kind of value");
    if (object->state) fail("an object is built twice");
    object->state = state;
  }
  void storage() {
    const PickleValue* id = pop();
    const bool isStorage = id->isTuple(5) && id->items[0]->kind == Kind::kString && id->items[0]->text == "storage" &&
                           id->items[1]->kind == Kind::kGlobal && id->items[2]->kind == Kind::kString &&
                           id->items[4]->kind == Kind::kInt;
    if (!isStorage) fail("an unknown persistent id");
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
        if (const uint8_t protocol = byte(); protocol < 2 || protocol > 5) fail("an unknown protocol");
        return;
      case 0x95:  // FRAME: how many bytes a reader may fetch at once
        take(8);
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
        return string(take(number(4)));
      case 0x8c:
        return string(take(number(1)));
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
      case 0x94:  // MEMOIZE
        return put(memo_.size());
      case 'h':
        return get(number(1));
      case 'j':
        return get(number(4));
      case 'c':
        return global();
      case 0x93:
        return stackGlobal();
      case 0x81:
        return newObject();
      case 'R':
        return reduce();
      case 'b':
        return build();
      case 'Q':
        return storage();
      default:
        fail("the operation " + std::to_string(opcode) + ", which no checkpoint needs,");
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
