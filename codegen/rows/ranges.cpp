// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/ranges.hpp"

#include <algorithm>

#include "patterns/ast_print.hpp"

namespace heddle::rows {
namespace {

// Values of recursive functions are enumerated exactly, up to this many arguments.
constexpr std::int64_t kEnumerated = std::int64_t{1} << 17;
constexpr int kDepth = 64;

Integer limit() { return *power(Integer(2), 62, 64); }

Error out_of_range(const Expression& expression, const std::string& why) {
  return Error{"the kernel cannot compute `" + print(expression) + "` in 64 bits: " + why};
}

Range hull(std::initializer_list<Integer> values) { return {std::min(values), std::max(values)}; }

}  // namespace

Range row_range() { return {Integer(1), Integer(std::int64_t{1} << 31)}; }

Result<Range> RangeProver::range_of(const Expression& expression, const Ranges& names) const {
  return range_of(expression, names, 0);
}

Result<Range> RangeProver::check(const Condition& condition, const Ranges& names) const {
  const auto all = [&](const auto& left, const auto& right) -> Result<Range> {
    Result<Range> first = check(*left, names);
    return first ? check(*right, names) : first;
  };
  return match(
      condition.node,
      [&](const Comparison& node) -> Result<Range> {
        Result<Range> left = range_of(*node.left, names);
        return left ? range_of(*node.right, names) : left;
      },
      [&](const Conjunction& node) { return all(node.left, node.right); },
      [&](const Disjunction& node) { return all(node.left, node.right); },
      [&](const Negation& node) { return check(*node.operand, names); });
}

Result<Range> RangeProver::range_of(const Expression& expression, const Ranges& names,
                                    int depth) const {
  if (depth > kDepth) return out_of_range(expression, "its functions are nested too deeply");
  Result<Range> range = match(
      expression.node,
      [&](const Literal& node) -> Result<Range> {
        return Range{node.value, node.value};
      },
      [&](const Name& node) -> Result<Range> {
        const auto found = names.find(node.name);
        if (found != names.end()) return found->second;
        const std::optional<Integer> value = pattern_.parameter(node.name);
        if (!value) return out_of_range(expression, "the name has no range");
        return Range{*value, *value};
      },
      [&](const Apply& node) { return apply(node, names, depth); },
      [&](const Negate& node) -> Result<Range> {
        Result<Range> operand = range_of(*node.operand, names, depth + 1);
        if (!operand) return operand;
        return Range{-operand->high, -operand->low};
      },
      [&](const Arithmetic& node) { return arithmetic(expression, node, names, depth); },
      [&](const BuiltinCall& node) { return builtin(expression, node, names, depth); },
      [&](const MeasureTerm&) -> Result<Range> {
        return out_of_range(expression, "measures have no place in a row");
      });
  if (range && (range->high > limit() || range->low < -limit())) {
    return out_of_range(expression, "values up to " + range->high.to_string() + " may occur");
  }
  return range;
}

Result<Range> RangeProver::apply(const Apply& node, const Ranges& names, int depth) const {
  const FunctionDefinition* function = pattern_.function(node.function);
  assert_that(function != nullptr, "a resolved pattern calls an unknown function");
  Result<Range> argument = range_of(*node.argument, names, depth + 1);
  if (!argument) return argument;
  if (argument->low < Integer(0)) {
    return out_of_range(*node.argument,
                        "it may be negative where " + node.function + " needs a natural number");
  }
  if (!function->recursive()) {
    return range_of(*function->step, {{function->variable, *argument}}, depth + 1);
  }
  if (argument->high > Integer(kEnumerated)) {
    return Error{"the recursive function " + node.function +
                 " grows too slowly to prove that 64 bits suffice"};
  }
  std::optional<Range> range;
  for (std::int64_t k = *argument->low.to_int64(); k <= *argument->high.to_int64(); ++k) {
    const Result<Integer> value = evaluator_.call(node.function, k);
    if (!value) return value.error();
    if (!range) range = Range{*value, *value};
    range->low = std::min(range->low, *value);
    range->high = std::max(range->high, *value);
  }
  return *range;
}

Result<Range> RangeProver::arithmetic(const Expression& expression, const Arithmetic& node,
                                      const Ranges& names, int depth) const {
  Result<Range> left = range_of(*node.left, names, depth + 1);
  if (!left) return left;
  Result<Range> right = range_of(*node.right, names, depth + 1);
  if (!right) return right;
  const Range& x = *left;
  const Range& y = *right;
  const bool divides = node.op == ArithmeticOperator::kMod ||
                       node.op == ArithmeticOperator::kFloorDivide ||
                       node.op == ArithmeticOperator::kCeilDivide;
  if (divides && y.low < Integer(1)) {
    return out_of_range(expression, "the divisor may be zero or negative");
  }
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return Range{x.low + y.low, x.high + y.high};
    case ArithmeticOperator::kSubtract:
      return Range{x.low - y.high, x.high - y.low};
    case ArithmeticOperator::kMultiply:
      return hull({x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high});
    case ArithmeticOperator::kMod:
      return Range{Integer(0), y.high - Integer(1)};
    case ArithmeticOperator::kFloorDivide:
      return hull({floor_div(x.low, y.low), floor_div(x.low, y.high), floor_div(x.high, y.low),
                   floor_div(x.high, y.high)});
    case ArithmeticOperator::kCeilDivide:
      return hull({ceil_div(x.low, y.low), ceil_div(x.low, y.high), ceil_div(x.high, y.low),
                   ceil_div(x.high, y.high)});
    case ArithmeticOperator::kPower: {
      const std::optional<std::int64_t> most = y.high.to_int64();
      if (y.low < Integer(0) || !most) return out_of_range(expression, "the exponent has no bound");
      const Integer base = std::max(abs(x.low), abs(x.high));
      const std::optional<Integer> top = power(base, static_cast<std::uint64_t>(*most), 128);
      if (!top) return out_of_range(expression, "the power may be too large");
      const bool rising = x.low >= Integer(1);
      return rising ? Range{*power(x.low, static_cast<std::uint64_t>(*y.low.to_int64()), 128), *top}
                    : Range{x.low < Integer(0) ? -*top : Integer(0), std::max(*top, Integer(1))};
    }
  }
  unreachable("arithmetic operator");
}

Result<Range> RangeProver::builtin(const Expression& expression, const BuiltinCall& node,
                                   const Ranges& names, int depth) const {
  std::vector<Range> parts;
  for (const ExpressionPtr& argument : node.arguments) {
    Result<Range> part = range_of(*argument, names, depth + 1);
    if (!part) return part;
    parts.push_back(*part);
  }
  Range result = parts[0];
  const auto at_least = [&](int bound) { return parts[0].low >= Integer(bound); };
  switch (node.function) {
    case BuiltinFunction::kSqrt:
      if (!at_least(0)) return out_of_range(expression, "its argument may be negative");
      return Range{integer_sqrt(result.low), integer_sqrt(result.high)};
    case BuiltinFunction::kLog2:
      if (!at_least(1)) return out_of_range(expression, "its argument may be zero or negative");
      return Range{integer_log2(result.low), integer_log2(result.high)};
    case BuiltinFunction::kMin:
      for (const Range& part : parts) {
        result = {std::min(result.low, part.low), std::min(result.high, part.high)};
      }
      return result;
    case BuiltinFunction::kMax:
      for (const Range& part : parts) {
        result = {std::max(result.low, part.low), std::max(result.high, part.high)};
      }
      return result;
    case BuiltinFunction::kAbs:
      return Range{at_least(0) ? result.low : Integer(0),
                   std::max(abs(result.low), abs(result.high))};
    case BuiltinFunction::kPopcount:
      if (!at_least(0)) return out_of_range(expression, "its argument may be negative");
      return Range{Integer(0), Integer(63)};
    case BuiltinFunction::kLowbit:
      if (!at_least(1)) return out_of_range(expression, "its argument may be zero or negative");
      return Range{Integer(1), result.high};
  }
  unreachable("built-in function");
}

}  // namespace heddle::rows
