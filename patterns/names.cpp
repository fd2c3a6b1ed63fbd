// SPDX-License-Identifier: Apache-2.0
#include "patterns/names.hpp"

#include "patterns/result.hpp"

namespace heddle {
namespace {

void collect(const Expression& expression, Names& names) {
  const auto all = [&](const std::vector<ExpressionPtr>& parts) {
    for (const ExpressionPtr& part : parts) collect(*part, names);
  };
  match(
      expression.node, [](const Literal&) {}, [&](const Name& node) { names.insert(node.name); },
      [&](const Apply& node) { collect(*node.argument, names); },
      [&](const Negate& node) { collect(*node.operand, names); },
      [&](const Arithmetic& node) {
        collect(*node.left, names);
        collect(*node.right, names);
      },
      [&](const BuiltinCall& node) { all(node.arguments); },
      [&](const MeasureTerm& node) { all(node.arguments); });
}

}  // namespace

Names names_in(const Expression& expression) {
  Names names;
  collect(expression, names);
  return names;
}

}  // namespace heddle
