// SPDX-License-Identifier: Apache-2.0
// Small constructors of, and questions about, syntax trees that planning and emitting rows share.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "patterns/ast.hpp"

namespace heddle::rows {

inline ExpressionPtr number(std::int64_t value) { return make_expression(Literal{Integer(value)}); }
inline ExpressionPtr name(const std::string& text) { return make_expression(Name{text}); }
inline ExpressionPtr apply(const std::string& function, ExpressionPtr argument) {
  return make_expression(Apply{function, std::move(argument)});
}
inline ExpressionPtr minus(ExpressionPtr left, ExpressionPtr right) {
  return make_expression(
      Arithmetic{ArithmeticOperator::kSubtract, std::move(left), std::move(right)});
}

// The node when the expression is of that kind, else null.
template <typename Node>
const Node* as(const ExpressionPtr& expression) {
  return std::get_if<Node>(&expression->node);
}

// All calls of functions, nested ones included.
std::vector<const Apply*> calls_in(const Expression& expression);
std::vector<const Apply*> calls_in(const Condition& condition);
bool mentions(const Expression& expression, const std::string& name);
// s when the expression is `variable + s` with a small s >= 0.
std::optional<int> shift_of(const Expression& expression, const std::string& variable);

}  // namespace heddle::rows
