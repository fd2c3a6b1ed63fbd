// SPDX-License-Identifier: Apache-2.0
// Pattern arithmetic as kernel arithmetic. Ranges were proved when the row was planned, so nothing
// here can fail.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/ir/builder.hpp"
#include "patterns/pattern.hpp"

namespace heddle::rows {

// What the names of an expression mean inside a kernel. f(k + s) reads values[s] of the carried
// function f when k is `variable`; other calls of closed forms are written out in place.
struct Scope {
  struct Carried {
    std::string function;
    std::vector<ir::Var> values;
  };
  std::map<std::string, ir::Ex> names;
  std::string variable;
  std::vector<Carried> carried;

  const Carried* find(const std::string& function) const;
};

class ExpressionEmitter {
 public:
  ExpressionEmitter(ir::Builder& builder, const Pattern& pattern)
      : builder_(builder), pattern_(pattern) {}

  ir::Ex emit(const Expression& expression, const Scope& scope);
  ir::Ex emit(const Condition& condition, const Scope& scope);

 private:
  ir::Ex constant_call(const Apply& node);
  ir::Ex arithmetic(const Arithmetic& node, const Scope& scope);
  ir::Ex builtin(const BuiltinCall& node, const Scope& scope);
  ir::Ex compare(const Comparison& node, const Scope& scope);

  ir::Builder& builder_;
  const Pattern& pattern_;
};

// Whether evaluating the expression in such a scope reads the variable itself, not only values
// carried for it.
bool reads_variable(const Expression& expression, const Scope& scope);
bool reads_variable(const Condition& condition, const Scope& scope);

}  // namespace heddle::rows
