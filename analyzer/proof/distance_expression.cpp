// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/distance_expression.hpp"

#include <functional>

#include "patterns/result.hpp"

namespace heddle::proof {
namespace {

// Rebuilds an expression with `leaf` applied to every node first; it may return null to go on.
ExpressionPtr rebuilt(const ExpressionPtr& expression,
                      const std::function<ExpressionPtr(const ExpressionPtr&)>& leaf) {
  if (ExpressionPtr replaced = leaf(expression)) return replaced;
  const auto part = [&](const ExpressionPtr& each) { return rebuilt(each, leaf); };
  return match(
      expression->node, [&](const Literal&) { return expression; },
      [&](const Name&) { return expression; },
      [&](const Apply& node) {
        return make_expression(Apply{node.function, part(node.argument)});
      },
      [&](const Negate& node) { return make_expression(Negate{part(node.operand)}); },
      [&](const Arithmetic& node) {
        return make_expression(Arithmetic{node.op, part(node.left), part(node.right)});
      },
      [&](const BuiltinCall& node) {
        BuiltinCall call{node.function, {}};
        for (const ExpressionPtr& argument : node.arguments) {
          call.arguments.push_back(part(argument));
        }
        return make_expression(std::move(call));
      },
      [&](const MeasureTerm&) { return expression; });
}

bool is_name(const ExpressionPtr& expression, const char* text) {
  const auto* node = std::get_if<Name>(&expression->node);
  return node != nullptr && node->name == text;
}

}  // namespace

ExpressionPtr in_distance(const ExpressionPtr& expression) {
  bool only_distances = true;
  ExpressionPtr result = rebuilt(expression, [&](const ExpressionPtr& node) -> ExpressionPtr {
    const auto* pair = std::get_if<Arithmetic>(&node->node);
    if (pair != nullptr && pair->op == ArithmeticOperator::kSubtract && is_name(pair->left, "i") &&
        is_name(pair->right, "j")) {
      return make_expression(Name{kDistance});
    }
    only_distances = only_distances && !is_name(node, "i") && !is_name(node, "j") &&
                     !std::holds_alternative<MeasureTerm>(node->node);
    return nullptr;
  });
  return only_distances ? result : nullptr;
}

ExpressionPtr at_distance(const ExpressionPtr& bound, const ExpressionPtr& distance) {
  return rebuilt(bound, [&](const ExpressionPtr& node) -> ExpressionPtr {
    return is_name(node, kDistance) ? distance : nullptr;
  });
}

ExpressionPtr in_rows(const ExpressionPtr& bound) {
  return at_distance(
      bound, make_expression(Arithmetic{ArithmeticOperator::kSubtract, make_expression(Name{"i"}),
                                        make_expression(Name{"j"})}));
}

}  // namespace heddle::proof
