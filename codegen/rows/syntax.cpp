// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/syntax.hpp"

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle::rows {
namespace {

void collect_calls(const Expression& expression, std::vector<const Apply*>& calls) {
  match(
      expression.node, [](const Literal&) {}, [](const Name&) {}, [](const MeasureTerm&) {},
      [&](const Apply& node) {
        calls.push_back(&node);
        collect_calls(*node.argument, calls);
      },
      [&](const Negate& node) { collect_calls(*node.operand, calls); },
      [&](const Arithmetic& node) {
        collect_calls(*node.left, calls);
        collect_calls(*node.right, calls);
      },
      [&](const BuiltinCall& node) {
        for (const ExpressionPtr& argument : node.arguments) collect_calls(*argument, calls);
      });
}
void collect_calls(const Condition& condition, std::vector<const Apply*>& calls) {
  const auto both = [&](const auto& node) {
    collect_calls(*node.left, calls);
    collect_calls(*node.right, calls);
  };
  match(
      condition.node, [&](const Comparison& node) { both(node); },
      [&](const Conjunction& node) { both(node); }, [&](const Disjunction& node) { both(node); },
      [&](const Negation& node) { collect_calls(*node.operand, calls); });
}

}  // namespace

std::vector<const Apply*> calls_in(const Expression& expression) {
  std::vector<const Apply*> calls;
  collect_calls(expression, calls);
  return calls;
}
std::vector<const Apply*> calls_in(const Condition& condition) {
  std::vector<const Apply*> calls;
  collect_calls(condition, calls);
  return calls;
}

bool mentions(const Expression& expression, const std::string& wanted) {
  return match(
      expression.node, [](const Literal&) { return false; },
      [&](const Name& node) { return node.name == wanted; },
      [](const MeasureTerm&) { return false; },
      [&](const Apply& node) { return mentions(*node.argument, wanted); },
      [&](const Negate& node) { return mentions(*node.operand, wanted); },
      [&](const Arithmetic& node) {
        return mentions(*node.left, wanted) || mentions(*node.right, wanted);
      },
      [&](const BuiltinCall& node) {
        return std::any_of(node.arguments.begin(), node.arguments.end(),
                           [&](const ExpressionPtr& part) { return mentions(*part, wanted); });
      });
}

std::optional<int> shift_of(const Expression& expression, const std::string& variable) {
  if (const Name* plain = std::get_if<Name>(&expression.node)) {
    return plain->name == variable ? std::optional<int>(0) : std::nullopt;
  }
  const Arithmetic* sum = std::get_if<Arithmetic>(&expression.node);
  if (sum == nullptr || sum->op != ArithmeticOperator::kAdd) return std::nullopt;
  const Name* base = as<Name>(sum->left);
  const Literal* shift = as<Literal>(sum->right);
  if (base == nullptr || shift == nullptr || base->name != variable) return std::nullopt;
  const std::optional<std::int64_t> value = shift->value.to_int64();
  return value && *value >= 0 && *value <= 8 ? std::optional<int>(*value) : std::nullopt;
}

}  // namespace heddle::rows
