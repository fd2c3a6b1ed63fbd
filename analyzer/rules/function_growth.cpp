// SPDX-License-Identifier: Apache-2.0
// Growth by structural induction. Each rule carries its statement; d is the step, m the low bound.
#include "analyzer/rules/function_growth.hpp"

#include <algorithm>

namespace heddle {
namespace {

using Bound = std::optional<Integer>;

// Powers beyond this are not needed to see that something grows.
constexpr std::size_t kMaxBits = 4096;
// Function values further out are not asked for: f(0) is a good enough lower bound.
constexpr std::int64_t kFarEnough = 64;

Bound add(const Bound& a, const Bound& b) {
  if (!a || !b) return std::nullopt;
  return *a + *b;
}

Bound smaller(const Bound& a, const Bound& b) {
  if (!a || !b) return std::nullopt;
  return std::min(*a, *b);
}

Bound larger(const Bound& a, const Bound& b) {
  if (!a) return b;
  if (!b) return a;
  return std::max(*a, *b);
}

bool at_least(const Bound& bound, int value) { return bound && *bound >= Integer(value); }

Growth constant(const Integer& value) { return {value, Integer(0), false}; }

// x'y' - xy >= d_x m_y + d_y m_x + d_x d_y when x, y, d_x, d_y >= 0.
Growth product(const Growth& x, const Growth& y) {
  if (!at_least(x.low, 0) || !at_least(y.low, 0)) return {};
  Growth result;
  result.low = *x.low * *y.low;
  if (x.nondecreasing() && y.nondecreasing()) {
    result.step = *x.step * *y.low + *y.step * *x.low + *x.step * *y.step;
  }
  result.diverges =
      (x.diverges && (y.diverges || at_least(y.low, 1))) || (y.diverges && at_least(x.low, 1));
  return result;
}

// b^x for a constant b >= 2 and x >= m >= 0: b^(x + d) - b^x >= b^m (b^d - 1).
Growth exponential(const Integer& base, const Growth& exponent) {
  if (!at_least(exponent.low, 0)) return {};
  Growth result;
  result.diverges = exponent.diverges;
  const auto low = exponent.low->to_int64();
  if (!low) return result;
  result.low = power(base, static_cast<std::uint64_t>(*low), kMaxBits);
  if (!result.low || !exponent.nondecreasing()) return result;
  const auto step = exponent.step->to_int64();
  const auto factor =
      step ? power(base, static_cast<std::uint64_t>(*step), kMaxBits) : std::nullopt;
  if (factor) result.step = *result.low * (*factor - Integer(1));
  return result;
}

Growth add_growth(const Growth& x, const Growth& y) {
  return {add(x.low, y.low), add(x.step, y.step),
          (x.diverges && y.low.has_value()) || (y.diverges && x.low.has_value()) ||
              (x.diverges && y.diverges)};
}

// c with expression = variable + c, if it has that form.
std::optional<std::int64_t> shift_of(const Expression& expression, const std::string& variable) {
  if (const auto* name = std::get_if<Name>(&expression.node)) {
    if (name->name == variable) return 0;
    return std::nullopt;
  }
  const auto* sum = std::get_if<Arithmetic>(&expression.node);
  if (!sum || sum->op != ArithmeticOperator::kAdd) return std::nullopt;
  const auto* name = std::get_if<Name>(&sum->left->node);
  const auto* literal = std::get_if<Literal>(&sum->right->node);
  if (!name || name->name != variable || !literal) return std::nullopt;
  return literal->value.to_int64();
}

// Bounds on the step e of a recursion f(k + r) = e, given f >= floor at every earlier argument:
// e >= low and e - f(k + r - 1) >= excess.
struct StepBounds {
  Bound low;
  Bound excess;
};

class StepAnalysis {
 public:
  StepAnalysis(const FunctionDefinition& function, const Integer& floor, GrowthAnalysis& growth)
      : function_(function), floor_(floor), growth_(growth) {}

  StepBounds of(const Expression& expression) const {
    if (const auto* call = std::get_if<Apply>(&expression.node);
        call && call->function == function_.name) {
      const auto shift = shift_of(*call->argument, function_.variable);
      if (!shift) return {};
      const auto last = static_cast<std::int64_t>(function_.base.size()) - 1;
      return {floor_, *shift == last ? Bound(Integer(0)) : std::nullopt};
    }
    if (const auto* arithmetic = std::get_if<Arithmetic>(&expression.node)) {
      const StepBounds x = of(*arithmetic->left);
      const StepBounds y = of(*arithmetic->right);
      if (arithmetic->op == ArithmeticOperator::kAdd) {
        return {add(x.low, y.low), larger(add(x.excess, y.low), add(x.low, y.excess))};
      }
      if (arithmetic->op == ArithmeticOperator::kMultiply) return product_of(x, y);
    }
    if (const auto* call = std::get_if<BuiltinCall>(&expression.node);
        call && call->function == BuiltinFunction::kMax) {
      StepBounds result;
      for (const ExpressionPtr& argument : call->arguments) {
        const StepBounds x = of(*argument);
        result = {larger(result.low, x.low), larger(result.excess, x.excess)};
      }
      return result;
    }
    return {growth_.of(expression, function_.variable, 0).low, std::nullopt};
  }

 private:
  // x y >= x + (m_y - 1) m_x when m_x >= 0 and m_y >= 1, and the same with the roles exchanged.
  static StepBounds product_of(const StepBounds& x, const StepBounds& y) {
    if (!at_least(x.low, 0) || !at_least(y.low, 0)) return {};
    StepBounds result{*x.low * *y.low, std::nullopt};
    const auto exceed = [&](const StepBounds& kept, const StepBounds& factor) {
      if (kept.excess && at_least(factor.low, 1)) {
        result.excess =
            larger(result.excess, *kept.excess + (*factor.low - Integer(1)) * *kept.low);
      }
    };
    exceed(x, y);
    exceed(y, x);
    return result;
  }

  const FunctionDefinition& function_;
  const Integer& floor_;
  GrowthAnalysis& growth_;
};

}  // namespace

Growth GrowthAnalysis::of(const Expression& expression, const std::string& variable,
                          std::int64_t start) {
  if (!mentions(expression, variable)) {
    const auto value = evaluator_.evaluate(expression, {});
    return value.ok() ? constant(*value) : Growth{};
  }
  const auto recurse = [&](const ExpressionPtr& part) { return of(*part, variable, start); };
  return match(
      expression.node,
      [&](const Name&) {
        return Growth{Integer(start), Integer(1), true};
      },
      [&](const Apply& call) {
        const Growth argument = recurse(call.argument);
        if (!at_least(argument.low, 0)) return Growth{};
        const Growth function = of_function(call.function);
        Growth result{function.low, std::nullopt, function.diverges && argument.diverges};
        if (!function.nondecreasing()) return result;
        if (argument.nondecreasing()) result.step = *function.step * *argument.step;
        if (const auto first = argument.low->to_int64(); first && *first <= kFarEnough) {
          const auto value = evaluator_.call(call.function, *first);
          if (value.ok()) result.low = *value;
        }
        return result;
      },
      [&](const Arithmetic& arithmetic) {
        const Growth x = recurse(arithmetic.left);
        const Growth y = recurse(arithmetic.right);
        const bool right_constant = !mentions(*arithmetic.right, variable);
        switch (arithmetic.op) {
          case ArithmeticOperator::kAdd:
            return add_growth(x, y);
          case ArithmeticOperator::kSubtract:
            if (!right_constant || !y.low) return Growth{};
            return add_growth(x, constant(-*y.low));
          case ArithmeticOperator::kMultiply:
            return product(x, y);
          case ArithmeticOperator::kPower: {
            if (!mentions(*arithmetic.left, variable)) {
              if (!at_least(x.low, 2)) return Growth{};
              return exponential(*x.low, y);
            }
            const auto exponent = right_constant && y.low ? y.low->to_int64() : std::nullopt;
            if (!exponent || *exponent < 1 || *exponent > 64) return Growth{};
            Growth result = x;
            for (std::int64_t e = 1; e < *exponent; ++e) result = product(result, x);
            return result;
          }
          case ArithmeticOperator::kFloorDivide:
          case ArithmeticOperator::kCeilDivide: {
            // floor((x + d) / c) >= floor(x / c) + floor(d / c), and so for ceil.
            if (!right_constant || !at_least(y.low, 1)) return Growth{};
            Growth result;
            result.diverges = x.diverges;
            if (x.step) result.step = floor_div(*x.step, *y.low);
            if (x.low) {
              result.low = arithmetic.op == ArithmeticOperator::kFloorDivide
                               ? floor_div(*x.low, *y.low)
                               : ceil_div(*x.low, *y.low);
            }
            return result;
          }
          case ArithmeticOperator::kMod:
            return at_least(y.low, 1) ? Growth{Integer(0), std::nullopt, false} : Growth{};
        }
        unreachable("arithmetic operator");
      },
      [&](const BuiltinCall& call) {
        std::vector<Growth> parts;
        for (const ExpressionPtr& argument : call.arguments) parts.push_back(recurse(argument));
        switch (call.function) {
          case BuiltinFunction::kSqrt:
          case BuiltinFunction::kLog2: {
            const bool root = call.function == BuiltinFunction::kSqrt;
            if (!at_least(parts[0].low, root ? 0 : 1)) return Growth{};
            Growth result;
            result.low = root ? integer_sqrt(*parts[0].low) : integer_log2(*parts[0].low);
            if (parts[0].nondecreasing()) result.step = Integer(0);
            result.diverges = parts[0].diverges;
            return result;
          }
          case BuiltinFunction::kMin:
          case BuiltinFunction::kMax: {
            // min(x', y') - min(x, y) >= min(d_x, d_y), and so for max.
            const bool least = call.function == BuiltinFunction::kMin;
            Growth result = parts[0];
            for (std::size_t e = 1; e < parts.size(); ++e) {
              result.low =
                  least ? smaller(result.low, parts[e].low) : larger(result.low, parts[e].low);
              result.step = smaller(result.step, parts[e].step);
              result.diverges = least ? result.diverges && parts[e].diverges
                                      : result.diverges || parts[e].diverges;
            }
            return result;
          }
          case BuiltinFunction::kAbs:
            if (at_least(parts[0].low, 0)) return parts[0];
            return Growth{Integer(0), std::nullopt, parts[0].diverges};
          case BuiltinFunction::kPopcount:
            return Growth{Integer(0), std::nullopt, false};
          case BuiltinFunction::kLowbit:
            return Growth{Integer(1), std::nullopt, false};
        }
        unreachable("builtin function");
      },
      [](const auto&) { return Growth{}; });
}

Growth GrowthAnalysis::of_function(const std::string& name) {
  const auto known = functions_.find(name);
  if (known != functions_.end()) return known->second;
  functions_[name] = {};
  return functions_[name] = compute_function(name);
}

Growth GrowthAnalysis::compute_function(const std::string& name) {
  const FunctionDefinition* function = pattern_.function(name);
  if (!function) return {};
  if (!function->recursive()) return of(*function->step, function->variable, 0);

  // Induction: base values increasing from m >= 0, and e >= f(k + r - 1) + d with d >= 0 given
  // f >= m so far, make f nondecreasing with steps >= d from the base's end on.
  std::vector<Integer> base;
  for (std::size_t k = 0; k < function->base.size(); ++k) {
    const auto value = evaluator_.call(name, static_cast<std::int64_t>(k));
    if (!value.ok()) return {};
    base.push_back(*value);
  }
  const StepBounds bounds = StepAnalysis(*function, base[0], *this).of(*function->step);
  if (base[0].sign() < 0 || !at_least(bounds.excess, 0)) return {};
  Integer step = *bounds.excess;
  for (std::size_t k = 1; k < base.size(); ++k) step = std::min(step, base[k] - base[k - 1]);
  if (step.sign() < 0) return {};
  return {base[0], step, step.sign() > 0};
}

bool mentions(const Expression& expression, const std::string& name) {
  return match(
      expression.node, [](const Literal&) { return false; },
      [&](const Name& leaf) { return leaf.name == name; },
      [&](const Apply& call) { return mentions(*call.argument, name); },
      [&](const Negate& negate) { return mentions(*negate.operand, name); },
      [&](const Arithmetic& pair) {
        return mentions(*pair.left, name) || mentions(*pair.right, name);
      },
      [&](const auto& call) {
        return std::any_of(call.arguments.begin(), call.arguments.end(),
                           [&](const ExpressionPtr& part) { return mentions(*part, name); });
      });
}

bool mentions(const Condition& condition, const std::string& name) {
  return match(
      condition.node, [&](const Negation& negation) { return mentions(*negation.operand, name); },
      [&](const auto& pair) { return mentions(*pair.left, name) || mentions(*pair.right, name); });
}

}  // namespace heddle
