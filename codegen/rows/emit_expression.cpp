// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/emit_expression.hpp"

#include <algorithm>

#include "codegen/rows/syntax.hpp"
#include "patterns/expression.hpp"

namespace heddle::rows {

using ir::Ex;
using ir::Helper;

const Scope::Carried* Scope::find(const std::string& function) const {
  const auto found = std::find_if(carried.begin(), carried.end(),
                                  [&](const Carried& entry) { return entry.function == function; });
  return found == carried.end() ? nullptr : &*found;
}

namespace {

// The carried value that a call reads, if any.
const ir::Var* carried_value(const Apply& node, const Scope& scope) {
  const Scope::Carried* carried = scope.find(node.function);
  if (carried == nullptr) return nullptr;
  const std::optional<int> shift = shift_of(*node.argument, scope.variable);
  if (!shift || *shift >= static_cast<int>(carried->values.size())) return nullptr;
  return &carried->values[static_cast<std::size_t>(*shift)];
}

}  // namespace

Ex ExpressionEmitter::emit(const Expression& expression, const Scope& scope) {
  return match(
      expression.node,
      [&](const Literal& node) { return builder_.i64(node.value.to_int64().value()); },
      [&](const Name& node) {
        const auto found = scope.names.find(node.name);
        if (found != scope.names.end()) return found->second;
        return builder_.i64(pattern_.parameter(node.name).value().to_int64().value());
      },
      [&](const Apply& node) {
        if (const ir::Var* value = carried_value(node, scope)) return Ex(*value);
        const FunctionDefinition& function = *pattern_.function(node.function);
        if (function.recursive()) return constant_call(node);
        return emit(*function.step, {{{function.variable, emit(*node.argument, scope)}}, "", {}});
      },
      [&](const Negate& node) {
        return builder_.unary(ir::UnaryOperator::kNegate, emit(*node.operand, scope));
      },
      [&](const Arithmetic& node) { return arithmetic(node, scope); },
      [&](const BuiltinCall& node) { return builtin(node, scope); },
      [](const MeasureTerm&) -> Ex { unreachable("a measure in a row"); });
}

Ex ExpressionEmitter::constant_call(const Apply& node) {
  const Evaluator evaluator(pattern_);
  const Result<Integer> place = evaluator.evaluate(*node.argument, {});
  assert_that(place.ok(), "a recursive function is neither carried nor called at a constant");
  return builder_.i64(evaluator.call(node.function, place->to_int64().value())->to_int64().value());
}

Ex ExpressionEmitter::arithmetic(const Arithmetic& node, const Scope& scope) {
  const Ex left = emit(*node.left, scope);
  const Ex right = emit(*node.right, scope);
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return left + right;
    case ArithmeticOperator::kSubtract:
      return left - right;
    case ArithmeticOperator::kMultiply:
      return left * right;
    case ArithmeticOperator::kPower: {
      const Literal* exponent = as<Literal>(node.right);
      const bool square = exponent != nullptr && exponent->value == Integer(2);
      if (square && as<Name>(node.left) != nullptr) return left * left;
      return builder_.call(Helper::kPower, {left, right});
    }
    case ArithmeticOperator::kMod:
      return builder_.call(Helper::kFloorModulo, {left, right});
    case ArithmeticOperator::kFloorDivide:
      return builder_.call(Helper::kFloorDivide, {left, right});
    case ArithmeticOperator::kCeilDivide:
      return builder_.call(Helper::kCeilDivide, {left, right});
  }
  unreachable("arithmetic operator");
}

Ex ExpressionEmitter::builtin(const BuiltinCall& node, const Scope& scope) {
  const Ex first = emit(*node.arguments[0], scope);
  const auto fold = [&](Helper helper) {
    Ex result = first;
    for (std::size_t index = 1; index < node.arguments.size(); ++index) {
      result = builder_.call(helper, {result, emit(*node.arguments[index], scope)});
    }
    return result;
  };
  switch (node.function) {
    case BuiltinFunction::kSqrt:
      return builder_.call(Helper::kSquareRoot, {first});
    case BuiltinFunction::kLog2:
      return builder_.call(Helper::kLogarithm, {first});
    case BuiltinFunction::kMin:
      return fold(Helper::kMinimum);
    case BuiltinFunction::kMax:
      return fold(Helper::kMaximum);
    case BuiltinFunction::kAbs:
      return builder_.call(Helper::kAbsolute, {first});
    case BuiltinFunction::kPopcount:
      return builder_.call(Helper::kPopcount, {first});
    case BuiltinFunction::kLowbit:
      return builder_.call(Helper::kLowbit, {first});
  }
  unreachable("built-in function");
}

Ex ExpressionEmitter::compare(const Comparison& node, const Scope& scope) {
  const Ex left = emit(*node.left, scope);
  const Ex right = emit(*node.right, scope);
  switch (node.op) {
    case ComparisonOperator::kLess:
      return left < right;
    case ComparisonOperator::kLessEqual:
      return left <= right;
    case ComparisonOperator::kGreater:
      return left > right;
    case ComparisonOperator::kGreaterEqual:
      return left >= right;
    case ComparisonOperator::kEqual:
      return equal(left, right);
    case ComparisonOperator::kNotEqual:
      return not_equal(left, right);
  }
  unreachable("comparison operator");
}

Ex ExpressionEmitter::emit(const Condition& condition, const Scope& scope) {
  return match(
      condition.node, [&](const Comparison& node) { return compare(node, scope); },
      [&](const Conjunction& node) {
        return both(emit(*node.left, scope), emit(*node.right, scope));
      },
      [&](const Disjunction& node) {
        return either(emit(*node.left, scope), emit(*node.right, scope));
      },
      [&](const Negation& node) { return negated(emit(*node.operand, scope)); });
}

bool reads_variable(const Expression& expression, const Scope& scope) {
  const auto any = [&](const auto&... parts) { return (reads_variable(*parts, scope) || ...); };
  return match(
      expression.node, [](const Literal&) { return false; },
      [&](const Name& node) { return node.name == scope.variable; },
      [&](const Apply& node) {
        return carried_value(node, scope) == nullptr && any(node.argument);
      },
      [&](const Negate& node) { return any(node.operand); },
      [&](const Arithmetic& node) { return any(node.left, node.right); },
      [&](const BuiltinCall& node) {
        return std::any_of(node.arguments.begin(), node.arguments.end(), any);
      },
      [](const MeasureTerm&) { return false; });
}

bool reads_variable(const Condition& condition, const Scope& scope) {
  const auto any = [&](const auto&... parts) { return (reads_variable(*parts, scope) || ...); };
  return match(
      condition.node, [&](const Comparison& node) { return any(node.left, node.right); },
      [&](const Conjunction& node) { return any(node.left, node.right); },
      [&](const Disjunction& node) { return any(node.left, node.right); },
      [&](const Negation& node) { return any(node.operand); });
}

}  // namespace heddle::rows
