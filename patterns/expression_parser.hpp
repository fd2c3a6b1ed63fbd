// SPDX-License-Identifier: Apache-2.0
// Expressions, conditions and sets. Binding strength, weakest first:
//   sets         |  -        then &
//   conditions   or, and, not, comparison (chains allowed)
//   expressions  + -, * mod, unary -, ^ (right to left)
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "patterns/ast.hpp"
#include "patterns/token_cursor.hpp"

namespace heddle {

class ExpressionParser : protected TokenCursor {
 public:
  using TokenCursor::TokenCursor;

 protected:
  ExpressionPtr expression();
  ConditionPtr condition();
  SetPtr set();
  // The names that `k >= lo` cannot bind because they stand for a number already.
  void declare_parameter(std::string name) { parameters_.push_back(std::move(name)); }
  void forget_parameters() { parameters_.clear(); }

 private:
  ExpressionPtr product();
  ExpressionPtr factor();
  ExpressionPtr power();
  ExpressionPtr primary();
  ExpressionPtr named(const Token& name);
  ExpressionPtr quotient(ArithmeticOperator op, std::size_t begin);
  std::vector<ExpressionPtr> arguments();

  ConditionPtr conjunction();
  ConditionPtr negation();
  ConditionPtr comparison();

  SetPtr set_intersection();
  SetPtr set_primary();
  SetPtr braces();
  void comprehension_item(Comprehension& result);

  bool is_parameter(std::string_view name) const {
    return std::find(parameters_.begin(), parameters_.end(), name) != parameters_.end();
  }
  Span since(std::size_t begin) const { return {begin, previous_end()}; }

  std::vector<std::string> parameters_;
};

}  // namespace heddle
