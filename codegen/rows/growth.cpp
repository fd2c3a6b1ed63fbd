// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/growth.hpp"

#include "codegen/rows/syntax.hpp"

namespace heddle::rows {
namespace {

// Functions whose growth is checked value by value reach 2^31 within this many steps.
constexpr std::int64_t kCheckedSteps = std::int64_t{1} << 17;

}  // namespace

std::optional<int> Growth::direction(const Expression& expression, const std::string& variable,
                                     const Ranges& names) const {
  if (!mentions(expression, variable)) return 0;
  using Direction = std::optional<int>;
  return match(
      expression.node, [](const Literal&) -> Direction { return 0; },
      [](const Name&) -> Direction { return 1; },
      [&](const Apply& node) -> Direction {
        const Name* argument = as<Name>(node.argument);
        if (argument == nullptr || argument->name != variable) return std::nullopt;
        return ascends(node.function, names.at(variable)) ? Direction(1) : std::nullopt;
      },
      [&](const Negate& node) -> Direction {
        const Direction inner = direction(*node.operand, variable, names);
        return inner ? Direction(-*inner) : std::nullopt;
      },
      [&](const Arithmetic& node) { return arithmetic(node, variable, names); },
      [](const BuiltinCall&) -> Direction { return std::nullopt; },
      [](const MeasureTerm&) -> Direction { return std::nullopt; });
}

std::optional<int> Growth::arithmetic(const Arithmetic& node, const std::string& variable,
                                      const Ranges& names) const {
  const std::optional<int> left = direction(*node.left, variable, names);
  const std::optional<int> right = direction(*node.right, variable, names);
  const Result<Range> x = prover_.range_of(*node.left, names);
  const Result<Range> y = prover_.range_of(*node.right, names);
  if (!left || !right || !x || !y) return std::nullopt;
  const auto sum = [](int a, int b) -> std::optional<int> {
    if (a == 0 || b == 0 || a == b) return a == 0 ? b : a;
    return std::nullopt;
  };
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return sum(*left, *right);
    case ArithmeticOperator::kSubtract:
      return sum(*left, -*right);
    case ArithmeticOperator::kMultiply:
      // A positive constant keeps the direction; two rising positive factors rise.
      if (*left == 0 && x->low >= Integer(1)) return right;
      if (*right == 0 && y->low >= Integer(1)) return left;
      if (*left == 1 && *right == 1 && x->low >= Integer(0) && y->low >= Integer(0)) return 1;
      return std::nullopt;
    case ArithmeticOperator::kPower:
      if (*left == 1 && *right == 0 && x->low >= Integer(0) && y->low >= Integer(1)) return 1;
      if (*left == 0 && *right == 1 && x->low >= Integer(2)) return 1;
      return std::nullopt;
    case ArithmeticOperator::kMod:
    case ArithmeticOperator::kFloorDivide:
    case ArithmeticOperator::kCeilDivide:
      return std::nullopt;
  }
  unreachable("arithmetic operator");
}

bool Growth::ascends(const std::string& function, const Range& steps) const {
  const FunctionDefinition& definition = *pattern_.function(function);
  if (!definition.recursive() &&
      direction(*definition.step, definition.variable, {{definition.variable, steps}}) == 1) {
    return true;
  }
  if (steps.low < Integer(0) || steps.high > Integer(kCheckedSteps)) return false;
  Result<Integer> before = evaluator_.call(function, *steps.low.to_int64());
  for (std::int64_t k = *steps.low.to_int64() + 1; k <= *steps.high.to_int64(); ++k) {
    Result<Integer> value = evaluator_.call(function, k);
    if (!before || !value || *value <= *before) return false;
    before = std::move(value);
  }
  return true;
}

}  // namespace heddle::rows
