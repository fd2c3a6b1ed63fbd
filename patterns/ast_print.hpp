// SPDX-License-Identifier: Apache-2.0
// The canonical text of each syntax tree. parse(print(x)) is x, spans aside.
#pragma once

#include <string>

#include "patterns/ast.hpp"

namespace heddle {

std::string print(const Expression& expression);
std::string print(const Condition& condition);
std::string print(const SetExpression& set);
std::string print(const FunctionDefinition& function);
std::string print(const Claim& claim);  // without the word `claim`
std::string print(const PatternSyntax& pattern);

const char* name_of(MeasureKind measure);
const char* name_of(BuiltinFunction function);
const char* name_of(ComparisonOperator op);
const char* name_of(WeightKind kind);

}  // namespace heddle
