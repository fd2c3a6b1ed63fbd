// SPDX-License-Identifier: Apache-2.0
#include "patterns/compiled_set.hpp"

#include <algorithm>
#include <bit>

namespace heddle {
namespace {

constexpr std::size_t kMostRemembered = std::size_t{1} << 16;  // values of one function

bool power_of(std::int64_t base, std::int64_t exponent, std::int64_t& value) {
  if (exponent < 0) return false;
  value = 1;
  if (base == 2) {
    if (exponent > 62) return false;
    value = std::int64_t{1} << exponent;
    return true;
  }
  if (exponent > 64) return false;
  for (std::int64_t e = 0; e < exponent; ++e) {
    if (__builtin_mul_overflow(value, base, &value)) return false;
  }
  return true;
}

bool floor_quotient(std::int64_t a, std::int64_t b, std::int64_t& value) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return false;
  value = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
  return true;
}

std::int64_t root_of(std::int64_t x) {
  // Newton's steps from above end at the root.
  auto root = std::int64_t{1} << ((std::bit_width(static_cast<std::uint64_t>(x)) + 1) / 2);
  while (root > x / root) root = (root + x / root) / 2;
  return root;
}

}  // namespace

// Conditions are 0 or 1.
enum class CompiledSet::Operation {
  kConstant,
  kSlot,
  kCall,
  kNegate,
  kAdd,
  kSubtract,
  kMultiply,
  kPower,
  kMod,
  kFloorDivide,
  kCeilDivide,
  kSqrt,
  kLog2,
  kMin,
  kMax,
  kAbs,
  kPopcount,
  kLowbit,
  kLess,
  kLessEqual,
  kEqual,
  kAnd,
  kOr,
  kNot
};

struct CompiledSet::Code {
  Operation operation;
  int left = -1, right = -1;  // kSlot: the slot; kCall: the function and its argument
  std::int64_t constant = 0;
};

CompiledSet::~CompiledSet() = default;

class CompiledSet::Translator {
 public:
  Translator(const Pattern& pattern, CompiledSet& result) : pattern_(pattern), result_(result) {}

  void enter(const std::string& name) { scope_.push_back(&name); }
  bool failed() const { return failed_; }

  int expression(const Expression& expression) {
    return match(
        expression.node, [&](const Literal& node) { return constant(node.value); },
        [&](const Name& node) {
          for (std::size_t at = scope_.size(); at-- > 0;) {
            if (*scope_[at] == node.name) return add(Operation::kSlot, static_cast<int>(at), -1);
          }
          const auto parameter = pattern_.parameter(node.name);
          return parameter ? constant(*parameter) : fail();
        },
        [&](const Apply& node) {
          const int argument = this->expression(*node.argument);
          return add(Operation::kCall, function(node.function), argument);
        },
        [&](const Negate& node) {
          return add(Operation::kNegate, this->expression(*node.operand), -1);
        },
        [&](const Arithmetic& node) {
          const int left = this->expression(*node.left);
          return add(operation_of(node.op), left, this->expression(*node.right));
        },
        [&](const BuiltinCall& node) { return builtin(node); },
        [&](const MeasureTerm&) { return fail(); });
  }

  int condition(const Condition& condition) {
    return match(
        condition.node,
        [&](const Comparison& node) {
          const int left = expression(*node.left);
          const int right = expression(*node.right);
          switch (node.op) {
            case ComparisonOperator::kLess:
              return add(Operation::kLess, left, right);
            case ComparisonOperator::kLessEqual:
              return add(Operation::kLessEqual, left, right);
            case ComparisonOperator::kGreater:
              return add(Operation::kLess, right, left);
            case ComparisonOperator::kGreaterEqual:
              return add(Operation::kLessEqual, right, left);
            case ComparisonOperator::kEqual:
              return add(Operation::kEqual, left, right);
            case ComparisonOperator::kNotEqual:
              return add(Operation::kNot, add(Operation::kEqual, left, right), -1);
          }
          unreachable("comparison operator");
        },
        [&](const Conjunction& node) {
          const int left = this->condition(*node.left);
          return add(Operation::kAnd, left, this->condition(*node.right));
        },
        [&](const Disjunction& node) {
          const int left = this->condition(*node.left);
          return add(Operation::kOr, left, this->condition(*node.right));
        },
        [&](const Negation& node) {
          return add(Operation::kNot, this->condition(*node.operand), -1);
        });
  }

 private:
  int fail() {
    failed_ = true;
    return -1;
  }

  int add(Operation operation, int left, int right, std::int64_t constant = 0) {
    result_.code_.push_back({operation, left, right, constant});
    return static_cast<int>(result_.code_.size()) - 1;
  }

  int constant(const Integer& value) {
    const auto small = value.to_int64();
    return small ? add(Operation::kConstant, -1, -1, *small) : fail();
  }

  int function(const std::string& name) {
    std::vector<Function>& known = result_.functions_;
    for (std::size_t at = 0; at < known.size(); ++at) {
      if (*known[at].name == name) return static_cast<int>(at);
    }
    known.push_back({&name, {}});
    return static_cast<int>(known.size()) - 1;
  }

  static Operation operation_of(ArithmeticOperator op) {
    switch (op) {
      case ArithmeticOperator::kAdd:
        return Operation::kAdd;
      case ArithmeticOperator::kSubtract:
        return Operation::kSubtract;
      case ArithmeticOperator::kMultiply:
        return Operation::kMultiply;
      case ArithmeticOperator::kPower:
        return Operation::kPower;
      case ArithmeticOperator::kMod:
        return Operation::kMod;
      case ArithmeticOperator::kFloorDivide:
        return Operation::kFloorDivide;
      case ArithmeticOperator::kCeilDivide:
        return Operation::kCeilDivide;
    }
    unreachable("arithmetic operator");
  }

  int builtin(const BuiltinCall& node) {
    const auto of_one = [&](Operation operation) {
      return add(operation, expression(*node.arguments.front()), -1);
    };
    switch (node.function) {
      case BuiltinFunction::kSqrt:
        return of_one(Operation::kSqrt);
      case BuiltinFunction::kLog2:
        return of_one(Operation::kLog2);
      case BuiltinFunction::kAbs:
        return of_one(Operation::kAbs);
      case BuiltinFunction::kPopcount:
        return of_one(Operation::kPopcount);
      case BuiltinFunction::kLowbit:
        return of_one(Operation::kLowbit);
      case BuiltinFunction::kMin:
      case BuiltinFunction::kMax: {
        int result = expression(*node.arguments.front());
        for (std::size_t at = 1; at < node.arguments.size(); ++at) {
          const int next = expression(*node.arguments[at]);
          result = add(node.function == BuiltinFunction::kMin ? Operation::kMin : Operation::kMax,
                       result, next);
        }
        return result;
      }
    }
    unreachable("built-in function");
  }

  const Pattern& pattern_;
  CompiledSet& result_;
  std::vector<const std::string*> scope_;
  bool failed_ = false;
};

std::unique_ptr<CompiledSet> CompiledSet::of(const Pattern& pattern, const Comprehension& set,
                                             const std::vector<ConditionPtr>& ends,
                                             FunctionValues functions) {
  static const std::string kRow = "i";
  std::unique_ptr<CompiledSet> result(new CompiledSet());
  result->values_ = std::move(functions);
  Translator translator(pattern, *result);
  translator.enter(kRow);
  for (const Binder& binder : set.binders) {
    const int low = translator.expression(*binder.low);
    const int high = binder.high ? translator.expression(*binder.high) : -1;
    result->variables_.push_back({low, high, -1});
    translator.enter(binder.name);
  }
  for (std::size_t index = 0; index < set.binders.size(); ++index) {
    if (ends[index]) result->variables_[index].end = translator.condition(*ends[index]);
  }
  for (const ConditionPtr& condition : set.conditions) {
    result->conditions_.push_back(translator.condition(*condition));
  }
  result->element_ = translator.expression(*set.element);
  if (translator.failed()) return nullptr;
  result->slots_.resize(set.binders.size() + 1);
  return result;
}

bool CompiledSet::value_of_call(Function& function, std::int64_t k, std::int64_t& value) {
  if (k < 0) return false;
  const auto index = static_cast<std::size_t>(k);
  if (index >= kMostRemembered) {
    const auto far = values_(*function.name, k);
    value = far.value_or(0);
    return far.has_value();
  }
  while (function.values.size() <= index) {
    const auto next = values_(*function.name, static_cast<std::int64_t>(function.values.size()));
    if (!next) return false;
    function.values.push_back(*next);
  }
  value = function.values[index];
  return true;
}

bool CompiledSet::value_of(int at, std::int64_t& value) {
  const Code& code = code_[static_cast<std::size_t>(at)];
  switch (code.operation) {
    case Operation::kConstant:
      value = code.constant;
      return true;
    case Operation::kSlot:
      value = slots_[static_cast<std::size_t>(code.left)];
      return true;
    case Operation::kCall: {
      std::int64_t k = 0;
      return value_of(code.right, k) &&
             value_of_call(functions_[static_cast<std::size_t>(code.left)], k, value);
    }
    default:
      break;
  }
  std::int64_t x = 0, y = 0;
  if (!value_of(code.left, x)) return false;
  switch (code.operation) {
    case Operation::kNegate:
      return !__builtin_sub_overflow(std::int64_t{0}, x, &value);
    case Operation::kNot:
      value = x == 0 ? 1 : 0;
      return true;
    case Operation::kAnd:
      if (x != 0) return value_of(code.right, value);
      value = 0;
      return true;
    case Operation::kOr:
      if (x == 0) return value_of(code.right, value);
      value = 1;
      return true;
    case Operation::kSqrt:
      if (x < 0) return false;
      value = x == 0 ? 0 : root_of(x);
      return true;
    case Operation::kLog2:
      value = std::bit_width(static_cast<std::uint64_t>(x)) - 1;
      return x > 0;
    case Operation::kAbs:
      value = x;
      return x >= 0 || !__builtin_sub_overflow(std::int64_t{0}, x, &value);
    case Operation::kPopcount:
      value = std::popcount(static_cast<std::uint64_t>(x));
      return x >= 0;
    case Operation::kLowbit:
      value =
          static_cast<std::int64_t>(static_cast<std::uint64_t>(x) & -static_cast<std::uint64_t>(x));
      return x > 0;
    default:
      break;
  }
  if (!value_of(code.right, y)) return false;
  switch (code.operation) {
    case Operation::kAdd:
      return !__builtin_add_overflow(x, y, &value);
    case Operation::kSubtract:
      return !__builtin_sub_overflow(x, y, &value);
    case Operation::kMultiply:
      return !__builtin_mul_overflow(x, y, &value);
    case Operation::kPower:
      return power_of(x, y, value);
    case Operation::kFloorDivide:
      return floor_quotient(x, y, value);
    case Operation::kCeilDivide:
      if (!floor_quotient(x, y, value)) return false;
      value += x % y != 0 ? 1 : 0;
      return true;
    case Operation::kMod:
      if (y == 0 || y == -1) return false;
      value = x % y;
      if (value != 0 && (value < 0) != (y < 0)) value += y;
      return true;
    case Operation::kMin:
      value = std::min(x, y);
      return true;
    case Operation::kMax:
      value = std::max(x, y);
      return true;
    case Operation::kLess:
      value = x < y ? 1 : 0;
      return true;
    case Operation::kLessEqual:
      value = x <= y ? 1 : 0;
      return true;
    case Operation::kEqual:
      value = x == y ? 1 : 0;
      return true;
    default:
      unreachable("operation");
  }
}

// Does the condition that ends the variable hold, with the later ones at their low ends?
bool CompiledSet::may_hold(std::size_t index, bool& holds) {
  for (std::size_t later = index + 1; later < variables_.size(); ++later) {
    if (!value_of(variables_[later].low, slots_[later + 1])) return false;
  }
  std::int64_t value = 0;
  if (!value_of(variables_[index].end, value)) return false;
  holds = value != 0;
  return true;
}

// The values of the variable `index`; those before it have theirs. False where something has none.
bool CompiledSet::walk(std::size_t index) {
  std::int64_t value = 0;
  if (index == variables_.size()) {
    for (const int condition : conditions_) {
      if (!value_of(condition, value)) return false;
      if (value == 0) return true;
    }
    if (!value_of(element_, value)) return false;
    value = std::clamp(value, -kFarthestPosition, kFarthestPosition);
    positions_.push_back({value, value});
    return true;
  }
  const Variable& variable = variables_[index];
  std::int64_t high = INT64_MAX;
  if (!value_of(variable.low, value)) return false;
  if (variable.high >= 0 && !value_of(variable.high, high)) return false;
  for (; value <= high; ++value) {
    if (++steps_ > kMostElements || value == INT64_MAX) return false;
    slots_[index + 1] = value;
    if (variable.end >= 0) {
      bool goes_on = true;
      if (!may_hold(index, goes_on)) return false;
      if (!goes_on) break;
    }
    if (!walk(index + 1)) return false;
  }
  return true;
}

std::optional<IntervalList> CompiledSet::row(std::int64_t i) {
  slots_[0] = i;
  steps_ = 0;
  positions_.clear();
  if (!walk(0)) return std::nullopt;
  return positions_;
}

}  // namespace heddle
