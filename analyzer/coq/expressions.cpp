// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/expressions.hpp"

#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"
#include "patterns/names.hpp"

namespace heddle::coq {
namespace {

// Coq writes a natural out in successors; larger ones make it slow.
constexpr int kLargestNumber = 5000;

std::string bracketed(const std::string& text, Binding of, Binding place) {
  return of >= place ? text : "(" + text + ")";
}

std::optional<std::string> number(const Integer& value) {
  if (value < 0 || value > kLargestNumber) return std::nullopt;
  return value.to_string();
}

// "left OP right", both bound as tightly as said.
std::optional<std::string> joined(const Arithmetic& node, const char* op, Binding left,
                                  Binding right, Binding whole, Binding place, const Scope& scope) {
  const auto a = term(*node.left, scope, left), b = term(*node.right, scope, right);
  if (!a || !b) return std::nullopt;
  return bracketed(*a + op + *b, whole, place);
}

bool has_call(const Expression& expression) {
  return match(
      expression.node, [](const Literal&) { return false; }, [](const Name&) { return false; },
      [](const Apply&) { return true; }, [](const Negate& node) { return has_call(*node.operand); },
      [](const Arithmetic& node) { return has_call(*node.left) || has_call(*node.right); },
      [](const BuiltinCall&) { return true; }, [](const MeasureTerm&) { return true; });
}

// Never negative, by the lower bounds of its variables and j < i.
bool never_negative(Sum sum, const Scope& scope) {
  if (scope.j_before_i && sum.count("i")) {
    // i = j + 1 + u with u >= 0
    sum["j"] = sum["j"] + sum["i"];
    sum[""] = sum[""] + sum["i"];
  }
  Integer least = 0;
  for (const auto& [text, factor] : sum) {
    if (factor < 0) {
      if (!text.empty()) return false;
      least = least + factor;
      continue;
    }
    if (text.empty()) least = least + factor;
    const auto bound = scope.least.find(text);
    if (bound != scope.least.end()) least = least + factor * bound->second;
  }
  return least >= 0;
}

std::optional<std::string> positive_number(const Expression& expression, const Scope& scope) {
  const std::optional<Integer> value = constant(expression, scope.pattern);
  return value && *value >= 1 ? number(*value) : std::nullopt;
}

std::optional<std::string> arithmetic(const Arithmetic& node, const Scope& scope, Binding place) {
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return joined(node, " + ", kSum, kProduct, kSum, place, scope);
    case ArithmeticOperator::kSubtract: {
      const auto left = sum_of(*node.left, scope), right = sum_of(*node.right, scope);
      if (!left || !right || !never_negative(difference(*left, *right), scope)) return std::nullopt;
      return joined(node, " - ", kSum, kProduct, kSum, place, scope);
    }
    case ArithmeticOperator::kMultiply:
      return joined(node, " * ", kProduct, kPower, kProduct, place, scope);
    case ArithmeticOperator::kPower:
      return joined(node, " ^ ", kAtom, kAtom, kPower, place, scope);
    case ArithmeticOperator::kMod:
    case ArithmeticOperator::kFloorDivide: {
      if (!positive_number(*node.right, scope)) return std::nullopt;
      const char* op = node.op == ArithmeticOperator::kMod ? " mod " : " / ";
      return joined(node, op, kProduct, kPower, kProduct, place, scope);
    }
    case ArithmeticOperator::kCeilDivide: {
      const auto left = term(*node.left, scope, kAtom);
      const auto right = positive_number(*node.right, scope);
      if (!left || !right) return std::nullopt;
      return bracketed("ceil_div " + *left + " " + *right, kPower, place);
    }
  }
  unreachable("arithmetic operator");
}

const char* builtin_name(BuiltinFunction function) {
  switch (function) {
    case BuiltinFunction::kSqrt:
      return "Nat.sqrt";
    case BuiltinFunction::kLog2:
      return "Nat.log2";
    case BuiltinFunction::kMin:
      return "Nat.min";
    case BuiltinFunction::kMax:
      return "Nat.max";
    case BuiltinFunction::kPopcount:
      return "popcount";
    case BuiltinFunction::kAbs:
    case BuiltinFunction::kLowbit:
      return nullptr;
  }
  unreachable("built-in function");
}

// min(x, y, z) as Nat.min (Nat.min x y) z
std::optional<std::string> call(const BuiltinCall& node, const Scope& scope, Binding place) {
  const char* name = builtin_name(node.function);
  if (name == nullptr) return std::nullopt;
  std::string text;
  for (const ExpressionPtr& argument : node.arguments) {
    const auto part = term(*argument, scope, kAtom);
    if (!part) return std::nullopt;
    if (node.arguments.size() == 1) {
      text = name + (" " + *part);
    } else if (text.empty()) {
      text = *part;
    } else {
      const std::string before = argument == node.arguments[1] ? text : "(" + text + ")";
      text = name + (" " + before + " " + *part);
    }
  }
  return bracketed(text, kPower, place);
}

const char* comparison_name(ComparisonOperator op) {
  switch (op) {
    case ComparisonOperator::kLess:
      return " < ";
    case ComparisonOperator::kLessEqual:
      return " <= ";
    case ComparisonOperator::kGreater:
      return " > ";
    case ComparisonOperator::kGreaterEqual:
      return " >= ";
    case ComparisonOperator::kEqual:
      return " = ";
    case ComparisonOperator::kNotEqual:
      return " <> ";
  }
  unreachable("comparison operator");
}

// x - y OP 0 as x OP y
std::optional<std::string> compared_sums(const Sum& sum, const char* op) {
  Sum left, right;
  for (const auto& [text, factor] : sum) {
    if (factor > 0) left[text] = factor;
    if (factor < 0) right[text] = -factor;
  }
  for (const Sum* side : {&left, &right}) {
    for (const auto& [text, factor] : *side) {
      if (!number(factor)) return std::nullopt;
    }
  }
  return text_of(left) + op + text_of(right);
}

std::optional<std::string> comparison(const Comparison& node, const Scope& scope) {
  const char* op = comparison_name(node.op);
  const auto left = term(*node.left, scope), right = term(*node.right, scope);
  if (left && right) return *left + op + *right;
  const auto a = sum_of(*node.left, scope), b = sum_of(*node.right, scope);
  if (!a || !b) return std::nullopt;
  return compared_sums(difference(*a, *b), op);
}

}  // namespace

std::string argument(const std::string& term) {
  return term.find(' ') == std::string::npos ? term : "(" + term + ")";
}

std::string function_name(const std::string& name) { return name == "f" ? name : "f_" + name; }

std::optional<Integer> constant(const Expression& expression, const Pattern& pattern) {
  if (has_call(expression)) return std::nullopt;
  for (const std::string& name : names_in(expression)) {
    if (!pattern.parameter(name)) return std::nullopt;
  }
  const Result<Integer> value = Evaluator(pattern).evaluate(expression, {});
  return value.ok() ? std::optional(value.value()) : std::nullopt;
}

std::optional<std::string> term(const Expression& expression, const Scope& scope, Binding place) {
  if (const auto value = constant(expression, scope.pattern)) return number(*value);
  return match(
      expression.node, [](const Literal& node) { return number(node.value); },
      [&](const Name& node) -> std::optional<std::string> {
        const auto known = scope.names.find(node.name);
        if (known == scope.names.end()) return std::nullopt;
        return known->second;
      },
      [&](const Apply& node) -> std::optional<std::string> {
        const auto argument = term(*node.argument, scope, kAtom);
        if (!argument) return std::nullopt;
        return bracketed(function_name(node.function) + " " + *argument, kPower, place);
      },
      [](const Negate&) -> std::optional<std::string> { return std::nullopt; },
      [&](const Arithmetic& node) { return arithmetic(node, scope, place); },
      [&](const BuiltinCall& node) { return call(node, scope, place); },
      [&](const MeasureTerm&) -> std::optional<std::string> {
        const auto known = scope.measures.find(print(expression));
        if (known == scope.measures.end()) return std::nullopt;
        return known->second;
      });
}

std::optional<Sum> sum_of(const Expression& expression, const Scope& scope) {
  if (const auto value = constant(expression, scope.pattern)) return Sum{{"", *value}};
  if (const auto* node = std::get_if<Negate>(&expression.node)) {
    const auto operand = sum_of(*node->operand, scope);
    return operand ? std::optional(difference({}, *operand)) : std::nullopt;
  }
  if (const auto* node = std::get_if<Arithmetic>(&expression.node)) {
    const bool adds = node->op == ArithmeticOperator::kAdd;
    if (adds || node->op == ArithmeticOperator::kSubtract) {
      const auto left = sum_of(*node->left, scope), right = sum_of(*node->right, scope);
      if (!left || !right) return std::nullopt;
      return difference(*left, adds ? difference({}, *right) : *right);
    }
    const auto factor = constant(*node->left, scope.pattern);
    if (node->op == ArithmeticOperator::kMultiply && factor) {
      auto sum = sum_of(*node->right, scope);
      if (!sum) return std::nullopt;
      for (auto& [text, value] : *sum) value = value * *factor;
      return sum;
    }
  }
  const auto text = term(expression, scope, kPower);
  return text ? std::optional(Sum{{*text, 1}}) : std::nullopt;
}

Sum difference(Sum left, const Sum& right) {
  for (const auto& [text, factor] : right) left[text] = left[text] - factor;
  return left;
}

std::string text_of(const Sum& sum) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " + ") + part; };
  for (const auto& [product, factor] : sum) {
    if (factor == 0 || product.empty()) continue;
    add(factor == 1 ? product : factor.to_string() + " * " + product);
  }
  const auto one = sum.find("");
  if (one != sum.end() && one->second != 0) add(one->second.to_string());
  return text.empty() ? "0" : text;
}

std::optional<std::string> proposition(const Condition& condition, const Scope& scope) {
  const auto both = [&](const ConditionPtr& left, const char* op,
                        const ConditionPtr& right) -> std::optional<std::string> {
    const auto a = proposition(*left, scope), b = proposition(*right, scope);
    if (!a || !b) return std::nullopt;
    return "(" + *a + ")" + op + "(" + *b + ")";
  };
  return match(
      condition.node, [&](const Comparison& node) { return comparison(node, scope); },
      [&](const Conjunction& node) { return both(node.left, " /\\ ", node.right); },
      [&](const Disjunction& node) { return both(node.left, " \\/ ", node.right); },
      [&](const Negation& node) -> std::optional<std::string> {
        const auto operand = proposition(*node.operand, scope);
        if (!operand) return std::nullopt;
        return "~ (" + *operand + ")";
      });
}

std::optional<std::string> equation(const std::string& name, const Expression& value,
                                    const Scope& scope) {
  const auto sum = sum_of(value, scope);
  if (!sum) return std::nullopt;
  return compared_sums(difference({{name, 1}}, *sum), " = ");
}

}  // namespace heddle::coq
