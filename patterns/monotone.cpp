// SPDX-License-Identifier: Apache-2.0
#include "patterns/monotone.hpp"

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle {
namespace {

constexpr int kMaxDepth = 100;  // functions within functions

Shape constant_shape(bool nonnegative, bool positive) {
  return {Trend::kConstant, false, nonnegative || positive, positive};
}

Shape constant_shape(const Integer& value) {
  return constant_shape(value.sign() >= 0, value.sign() > 0);
}

Shape negated(Shape x) {
  if (x.trend == Trend::kUp)
    x.trend = Trend::kDown;
  else if (x.trend == Trend::kDown)
    x.trend = Trend::kUp;
  x.nonnegative = x.positive = false;
  return x;
}

Shape sum(const Shape& x, const Shape& y) {
  Shape result;
  result.nonnegative = x.nonnegative && y.nonnegative;
  result.positive = (x.positive && y.nonnegative) || (x.nonnegative && y.positive);
  if (x.trend == Trend::kConstant || y.trend == Trend::kConstant || x.trend == y.trend) {
    result.trend = x.trend == Trend::kConstant ? y.trend : x.trend;
    result.unbounded = x.unbounded || y.unbounded;
  }
  return result;
}

// Both factors non-negative: the product moves up if both do.
Shape product(const Shape& x, const Shape& y) {
  Shape result;
  result.nonnegative = x.nonnegative && y.nonnegative;
  result.positive = x.positive && y.positive;
  for (const auto& [factor, other] : {std::pair{x, y}, std::pair{y, x}}) {
    if (factor.trend == Trend::kConstant && factor.nonnegative) {
      result.trend = other.trend;
      result.unbounded = other.unbounded && factor.positive;
      return result;
    }
  }
  if (x.trend == Trend::kUp && y.trend == Trend::kUp && result.nonnegative) {
    result.trend = Trend::kUp;
    result.unbounded = (x.unbounded && y.positive) || (y.unbounded && x.positive);
  }
  return result;
}

// base >= 0 and exponent >= 0; 0^0 = 1 would make 0, 1, ... fall, so the base must be positive
// unless the exponent stands still.
Shape raised(const Shape& base, const Shape& exponent, bool base_at_least_two) {
  Shape result;
  result.nonnegative = base.nonnegative;
  result.positive = base.positive;
  if (!exponent.nonnegative || !base.nonnegative) return result;
  const bool base_up = base.trend == Trend::kUp || base.trend == Trend::kConstant;
  const bool exponent_up = exponent.trend == Trend::kUp || exponent.trend == Trend::kConstant;
  if (!base_up || !exponent_up) return result;
  if (exponent.trend == Trend::kConstant) {
    result.trend = base.trend;
    result.unbounded = base.unbounded && exponent.positive;
  } else if (base.positive) {
    result.trend = Trend::kUp;
    result.unbounded =
        (exponent.unbounded && base_at_least_two) || (base.unbounded && exponent.positive);
  }
  return result;
}

Shape quotient(const Shape& x, const Shape& y, bool ceiling) {
  Shape result;
  result.nonnegative = x.nonnegative && y.positive;
  result.positive = ceiling && x.positive && y.positive;
  if (y.trend == Trend::kConstant && y.positive) {
    result.trend = x.trend;
    result.unbounded = x.unbounded;
  }
  return result;
}

bool is_variable_plus(const Expression& argument, const std::string& variable, std::int64_t shift) {
  if (const auto* name = std::get_if<Name>(&argument.node)) {
    return shift == 0 && name->name == variable;
  }
  const auto* node = std::get_if<Arithmetic>(&argument.node);
  if (!node || node->op != ArithmeticOperator::kAdd) return false;
  const auto* left = std::get_if<Name>(&node->left->node);
  const auto* right = std::get_if<Literal>(&node->right->node);
  return left && right && left->name == variable && right->value == Integer(shift);
}

}  // namespace

std::optional<Integer> Monotone::constant(const Expression& expression) const {
  if (const auto* literal = std::get_if<Literal>(&expression.node)) return literal->value;
  if (const auto* name = std::get_if<Name>(&expression.node)) {
    for (const Parameter& parameter : parameters_) {
      if (parameter.name == name->name) return parameter.value;
    }
    return std::nullopt;
  }
  if (const auto* negate = std::get_if<Negate>(&expression.node)) {
    const auto operand = constant(*negate->operand);
    return operand ? std::optional(-*operand) : std::nullopt;
  }
  if (const auto* node = std::get_if<Arithmetic>(&expression.node)) {
    const auto left = constant(*node->left);
    const auto right = constant(*node->right);
    if (!left || !right) return std::nullopt;
    if (node->op == ArithmeticOperator::kAdd) return *left + *right;
    if (node->op == ArithmeticOperator::kSubtract) return *left - *right;
    if (node->op == ArithmeticOperator::kMultiply) return *left * *right;
  }
  return std::nullopt;
}

Shape Monotone::shape_of(const Expression& expression, const std::string& variable,
                         const std::vector<Binder>& binders) const {
  return shape(expression, variable, binders, 0);
}

Shape Monotone::shape(const Expression& expression, const std::string& variable,
                      const std::vector<Binder>& binders, int depth) const {
  if (depth > kMaxDepth) return {};
  if (const auto value = constant(expression)) return constant_shape(*value);
  const auto of = [&](const ExpressionPtr& part) { return shape(*part, variable, binders, depth); };
  return match(
      expression.node, [](const Literal& node) { return constant_shape(node.value); },
      [&](const Name& node) {
        Shape result;
        for (const Binder& binder : binders) {
          if (binder.name != node.name) continue;
          if (const auto low = constant(*binder.low)) result = constant_shape(*low);
        }
        if (node.name == "i") result = constant_shape(true, true);
        const bool moves = node.name == variable;
        result.trend = moves ? Trend::kUp : Trend::kConstant;
        result.unbounded = moves;
        return result;
      },
      [&](const Apply& node) {
        const auto known =
            std::find_if(functions_.begin(), functions_.end(),
                         [&](const FunctionDefinition& f) { return f.name == node.function; });
        if (known == functions_.end()) return Shape{};
        const Shape argument = of(node.argument);
        Shape result = function_shape(*known, depth + 1);
        if (argument.trend == Trend::kConstant) {
          result.trend = Trend::kConstant;
          result.unbounded = false;
        } else if (result.trend == Trend::kUp && argument.trend == Trend::kUp) {
          result.unbounded = result.unbounded && argument.unbounded;
        } else if (result.trend == Trend::kUp && argument.trend == Trend::kDown) {
          result.trend = Trend::kDown;
          result.unbounded = false;  // arguments end at 0
        } else if (result.trend != Trend::kConstant) {
          result.trend = Trend::kUnknown;
          result.unbounded = false;
        }
        return result;
      },
      [&](const Negate& node) { return negated(of(node.operand)); },
      [&](const Arithmetic& node) {
        const Shape left = of(node.left);
        const Shape right = of(node.right);
        switch (node.op) {
          case ArithmeticOperator::kAdd:
            return sum(left, right);
          case ArithmeticOperator::kSubtract:
            return sum(left, negated(right));
          case ArithmeticOperator::kMultiply: {
            // c * y with c < 0 is -(|c| * y)
            const auto factor = constant(*node.left);
            if (factor && factor->sign() < 0) {
              return negated(product(constant_shape(abs(*factor)), right));
            }
            return product(left, right);
          }
          case ArithmeticOperator::kPower: {
            const auto base = constant(*node.left);
            return raised(left, right, base && *base >= Integer(2));
          }
          case ArithmeticOperator::kMod:
            return Shape{left.trend == Trend::kConstant && right.trend == Trend::kConstant
                             ? Trend::kConstant
                             : Trend::kUnknown,
                         false, right.positive, false};
          case ArithmeticOperator::kFloorDivide:
            return quotient(left, right, false);
          case ArithmeticOperator::kCeilDivide:
            return quotient(left, right, true);
        }
        unreachable("arithmetic operator");
      },
      [&](const BuiltinCall& node) {
        std::vector<Shape> parts;
        for (const ExpressionPtr& argument : node.arguments) parts.push_back(of(argument));
        const bool constant_parts = std::all_of(
            parts.begin(), parts.end(), [](const Shape& s) { return s.trend == Trend::kConstant; });
        Shape result = parts.front();
        switch (node.function) {
          case BuiltinFunction::kSqrt:  // keeps order and goes to infinity with its argument
            result.nonnegative = true;
            return result;
          case BuiltinFunction::kLog2:
            result.nonnegative = true;
            result.positive = false;
            return result;
          case BuiltinFunction::kAbs:
            if (result.nonnegative) return result;
            return Shape{constant_parts ? Trend::kConstant : Trend::kUnknown, false, true, false};
          case BuiltinFunction::kPopcount:
            return Shape{constant_parts ? Trend::kConstant : Trend::kUnknown, false, true, false};
          case BuiltinFunction::kLowbit:
            return Shape{constant_parts ? Trend::kConstant : Trend::kUnknown, false, true, true};
          case BuiltinFunction::kMin:
          case BuiltinFunction::kMax:
            break;
        }
        const bool maximum = node.function == BuiltinFunction::kMax;
        bool any_up = false, any_down = false, any_unknown = false;
        bool all_nonnegative = true, all_positive = true, any_nonnegative = false,
             any_positive = false;
        bool any_unbounded = false, all_unbounded = true;
        for (const Shape& s : parts) {
          any_up |= s.trend == Trend::kUp;
          any_down |= s.trend == Trend::kDown;
          any_unknown |= s.trend == Trend::kUnknown;
          all_nonnegative &= s.nonnegative;
          all_positive &= s.positive;
          any_nonnegative |= s.nonnegative;
          any_positive |= s.positive;
          any_unbounded |= s.unbounded;
          all_unbounded &= s.unbounded;
        }
        result.nonnegative = maximum ? any_nonnegative : all_nonnegative;
        result.positive = maximum ? any_positive : all_positive;
        if (any_unknown || (any_up && any_down)) {
          result.trend = Trend::kUnknown;
          result.unbounded = false;
        } else {
          result.trend = any_up ? Trend::kUp : any_down ? Trend::kDown : Trend::kConstant;
          // max leaves upward with any part, downward only with all of them; min the other way
          result.unbounded = (any_up == maximum) ? any_unbounded : all_unbounded;
        }
        return result;
      },
      [](const MeasureTerm&) { return Shape{}; });
}

Shape Monotone::function_shape(const FunctionDefinition& function, int depth) const {
  const auto known = remembered_.find(function.name);
  if (known != remembered_.end()) return known->second;
  return remembered_[function.name] = compute_function_shape(function, depth);
}

Shape Monotone::compute_function_shape(const FunctionDefinition& function, int depth) const {
  if (function.recursive()) return recursive_shape(function, depth);
  const Binder argument{function.variable, make_expression(Literal{0}), nullptr, {}};
  return shape(*function.step, function.variable, {argument}, depth);
}

// f(k+r) = c f(k+r-1) + (non-negative terms), c >= 1, non-negative and ordered first values:
// then f never falls. It has no bound if the first values are positive and something is added.
Shape Monotone::recursive_shape(const FunctionDefinition& function, int depth) const {
  Shape result;
  if (depth > kMaxDepth) return result;
  const auto order = static_cast<std::int64_t>(function.base.size());
  bool positive = true;
  std::optional<Integer> previous;
  for (const ExpressionPtr& value : function.base) {
    const auto number = constant(*value);
    if (!number || number->sign() < 0 || (previous && *number < *previous)) return result;
    positive &= number->sign() > 0;
    previous = number;
  }
  bool keeps_last = false;
  bool adds = false;
  std::vector<const Expression*> terms{function.step.get()};
  const Binder argument{function.variable, make_expression(Literal{0}), nullptr, {}};
  while (!terms.empty()) {
    const Expression& term = *terms.back();
    terms.pop_back();
    if (const auto* node = std::get_if<Arithmetic>(&term.node);
        node && node->op == ArithmeticOperator::kAdd) {
      terms.push_back(node->left.get());
      terms.push_back(node->right.get());
      continue;
    }
    Integer factor = 1;
    const Expression* rest = &term;
    if (const auto* node = std::get_if<Arithmetic>(&term.node);
        node && node->op == ArithmeticOperator::kMultiply) {
      if (const auto left = constant(*node->left)) {
        factor = *left;
        rest = node->right.get();
      } else if (const auto right = constant(*node->right)) {
        factor = *right;
        rest = node->left.get();
      }
    }
    const auto* self = std::get_if<Apply>(&rest->node);
    if (self && self->function == function.name) {
      if (factor.sign() < 0) return result;
      if (is_variable_plus(*self->argument, function.variable, order - 1) && factor >= Integer(1)) {
        adds |= keeps_last || factor >= Integer(2);
        keeps_last = true;
      } else {
        adds |= factor >= Integer(1);
      }
      continue;
    }
    const Shape other = shape(term, function.variable, {argument}, depth + 1);
    if (!other.nonnegative) return result;
    adds |= other.positive;
  }
  result.nonnegative = true;
  if (keeps_last) {
    result.positive = positive;
    result.trend = Trend::kUp;
    result.unbounded = adds && result.positive;
  }
  return result;
}

ConditionPtr Monotone::end_of(const Comprehension& set, std::size_t index) const {
  // The low end of a later variable must not move while this one grows.
  for (std::size_t later = index + 1; later < set.binders.size(); ++later) {
    const Shape low = shape_of(*set.binders[later].low, set.binders[index].name, set.binders);
    if (low.trend != Trend::kConstant) return nullptr;
  }
  const auto ends = [&](const Comparison& comparison) {
    const bool less = comparison.op == ComparisonOperator::kLess ||
                      comparison.op == ComparisonOperator::kLessEqual;
    const bool greater = comparison.op == ComparisonOperator::kGreater ||
                         comparison.op == ComparisonOperator::kGreaterEqual;
    if (!less && !greater) return false;
    const auto gap = [&](const std::string& variable) {
      const Shape left = shape_of(*comparison.left, variable, set.binders);
      const Shape right = shape_of(*comparison.right, variable, set.binders);
      return less ? sum(left, negated(right)) : sum(right, negated(left));
    };
    const Shape here = gap(set.binders[index].name);
    if (here.trend != Trend::kUp || !here.unbounded) return false;
    for (std::size_t later = index + 1; later < set.binders.size(); ++later) {
      const Trend trend = gap(set.binders[later].name).trend;
      if (trend != Trend::kUp && trend != Trend::kConstant) return false;
    }
    return true;
  };
  std::vector<ConditionPtr> candidates(set.conditions.rbegin(), set.conditions.rend());
  while (!candidates.empty()) {
    const ConditionPtr candidate = candidates.back();
    candidates.pop_back();
    if (const auto* both = std::get_if<Conjunction>(&candidate->node)) {
      candidates.push_back(both->right);
      candidates.push_back(both->left);
    } else if (const auto* comparison = std::get_if<Comparison>(&candidate->node)) {
      if (ends(*comparison)) return candidate;
    }
  }
  return nullptr;
}

}  // namespace heddle
