// SPDX-License-Identifier: Apache-2.0
// Whatever has an infinite part is taken apart; all else is left to the evaluator.
#include "analyzer/proof/infinite.hpp"

#include <algorithm>
#include <vector>

namespace heddle::proof {
namespace {

Error undefined() { return Error{"the claim has no meaning where a measure is infinite"}; }

int sign_of(const Extended& x) { return x.infinite != 0 ? x.infinite : x.value.sign(); }

Extended negative(const Extended& x) { return {-x.infinite, -x.value}; }

class Extension {
 public:
  Extension(const Evaluator& evaluator, const Bindings& bindings, const MeasureOracle& measures)
      : evaluator_(evaluator), bindings_(bindings), measures_(measures) {}

  Result<Extended> of(const Expression& expression) const {
    const Result<Integer> plain = evaluator_.evaluate(expression, bindings_, measures_);
    if (plain.ok()) return Extended{0, plain.value()};
    if (!is_infinite(plain.error())) return plain.error();
    return match(
        expression.node,
        [&](const MeasureTerm& node) -> Result<Extended> {
          for (const ExpressionPtr& argument : node.arguments) {
            if (!evaluator_.evaluate(*argument, bindings_, measures_).ok()) return undefined();
          }
          return Extended{1, {}};
        },
        [&](const Negate& node) -> Result<Extended> {
          const Result<Extended> x = of(*node.operand);
          if (!x.ok()) return x;
          return negative(*x);
        },
        [&](const Arithmetic& node) { return of(node); },
        [&](const BuiltinCall& node) { return of(node); },
        [](const auto&) -> Result<Extended> { return undefined(); });
  }

 private:
  Result<Extended> of(const Arithmetic& node) const {
    const Result<Extended> left = of(*node.left);
    if (!left.ok()) return left;
    const Result<Extended> right = of(*node.right);
    if (!right.ok()) return right;
    const Extended& x = *left;
    const Extended y = node.op == ArithmeticOperator::kSubtract ? negative(*right) : *right;
    switch (node.op) {
      case ArithmeticOperator::kAdd:
      case ArithmeticOperator::kSubtract:
        if (x.infinite != 0 && y.infinite != 0 && x.infinite != y.infinite) return undefined();
        return Extended{x.infinite != 0 ? x.infinite : y.infinite, {}};
      case ArithmeticOperator::kMultiply:
        if (sign_of(x) == 0 || sign_of(y) == 0) return undefined();
        return Extended{sign_of(x) * sign_of(y), {}};
      case ArithmeticOperator::kFloorDivide:
      case ArithmeticOperator::kCeilDivide:
        if (y.infinite != 0 || sign_of(y) == 0) return undefined();
        return Extended{sign_of(x) * sign_of(y), {}};
      case ArithmeticOperator::kPower:
        if (x.infinite > 0 && y.infinite == 0 && sign_of(y) > 0) return Extended{1, {}};
        if (x.infinite == 0 && y.infinite > 0 && Integer(2) <= x.value) return Extended{1, {}};
        return undefined();
      case ArithmeticOperator::kMod:
        return undefined();
    }
    unreachable("arithmetic operator");
  }

  Result<Extended> of(const BuiltinCall& node) const {
    std::vector<Extended> values;
    for (const ExpressionPtr& argument : node.arguments) {
      const Result<Extended> value = of(*argument);
      if (!value.ok()) return value;
      values.push_back(*value);
    }
    const auto less = [](const Extended& a, const Extended& b) { return !at_most(b, a); };
    switch (node.function) {
      case BuiltinFunction::kMin:
        return *std::min_element(values.begin(), values.end(), less);
      case BuiltinFunction::kMax:
        return *std::max_element(values.begin(), values.end(), less);
      case BuiltinFunction::kAbs:
        return Extended{1, {}};
      case BuiltinFunction::kSqrt:
      case BuiltinFunction::kLog2:
        if (values[0].infinite > 0) return values[0];
        return undefined();
      case BuiltinFunction::kPopcount:
      case BuiltinFunction::kLowbit:
        return undefined();
    }
    unreachable("built-in function");
  }

  const Evaluator& evaluator_;
  const Bindings& bindings_;
  const MeasureOracle& measures_;
};

}  // namespace

bool is_infinite(const Error& error) { return error.message.rfind(kNoPath, 0) == 0; }

Result<Extended> evaluate_extended(const Evaluator& evaluator, const Expression& expression,
                                   const Bindings& bindings, const MeasureOracle& measures) {
  return Extension(evaluator, bindings, measures).of(expression);
}

Result<bool> holds_extended(const Evaluator& evaluator, const Condition& condition,
                            const Bindings& bindings, const MeasureOracle& measures) {
  const auto part = [&](const ConditionPtr& each) {
    return holds_extended(evaluator, *each, bindings, measures);
  };
  return match(
      condition.node,
      [&](const Comparison& node) -> Result<bool> {
        const Result<Extended> left = evaluate_extended(evaluator, *node.left, bindings, measures);
        if (!left.ok()) return left.error();
        const Result<Extended> right =
            evaluate_extended(evaluator, *node.right, bindings, measures);
        if (!right.ok()) return right.error();
        const bool below = at_most(*left, *right), above = at_most(*right, *left);
        switch (node.op) {
          case ComparisonOperator::kLess:
            return !above;
          case ComparisonOperator::kLessEqual:
            return below;
          case ComparisonOperator::kGreater:
            return !below;
          case ComparisonOperator::kGreaterEqual:
            return above;
          case ComparisonOperator::kEqual:
            return below && above;
          case ComparisonOperator::kNotEqual:
            return !below || !above;
        }
        unreachable("comparison operator");
      },
      [&](const Conjunction& node) -> Result<bool> {
        const Result<bool> left = part(node.left);
        if (!left.ok() || !*left) return left;
        return part(node.right);
      },
      [&](const Disjunction& node) -> Result<bool> {
        const Result<bool> left = part(node.left);
        if (!left.ok() || *left) return left;
        return part(node.right);
      },
      [&](const Negation& node) -> Result<bool> {
        const Result<bool> operand = part(node.operand);
        if (!operand.ok()) return operand;
        return !*operand;
      });
}

bool at_most(const Extended& a, const Extended& b) {
  if (a.infinite != 0 || b.infinite != 0) return a.infinite <= b.infinite;
  return a.value <= b.value;
}

}  // namespace heddle::proof
