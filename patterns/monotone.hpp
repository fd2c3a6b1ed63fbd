// SPDX-License-Identifier: Apache-2.0
// How an expression moves as one variable grows, read off its text. Conservative: kUnknown is
// always a right answer, every other one holds for all values of the remaining names.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "patterns/ast.hpp"

namespace heddle {

enum class Trend { kConstant, kUp, kDown, kUnknown };  // kUp: never falls; kDown: never rises

struct Shape {
  Trend trend = Trend::kUnknown;
  bool unbounded = false;  // leaves every bound in the direction of its trend
  bool nonnegative = false;
  bool positive = false;  // at least 1
};

class Monotone {
 public:
  Monotone(const std::vector<Parameter>& parameters,
           const std::vector<FunctionDefinition>& functions)
      : parameters_(parameters), functions_(functions) {}

  // `variable` grows over the integers from its smallest value; `binders` are the variables in
  // scope, whose lower bounds give their signs.
  Shape shape_of(const Expression& expression, const std::string& variable,
                 const std::vector<Binder>& binders) const;

  // A condition of the comprehension that becomes false for good as the `index`-th binder grows,
  // when later binders stay at their low ends. Null when there is none to be seen.
  ConditionPtr end_of(const Comprehension& set, std::size_t index) const;

 private:
  Shape function_shape(const FunctionDefinition& function, int depth) const;
  Shape compute_function_shape(const FunctionDefinition& function, int depth) const;
  Shape recursive_shape(const FunctionDefinition& function, int depth) const;
  Shape shape(const Expression& expression, const std::string& variable,
              const std::vector<Binder>& binders, int depth) const;
  std::optional<Integer> constant(const Expression& expression) const;

  const std::vector<Parameter>& parameters_;
  const std::vector<FunctionDefinition>& functions_;
  mutable std::map<std::string, Shape> remembered_;  // of functions
};

}  // namespace heddle
