// SPDX-License-Identifier: Apache-2.0
// The variables, parameters and rows that an expression speaks of.
#pragma once

#include <set>
#include <string>

#include "patterns/ast.hpp"

namespace heddle {

using Names = std::set<std::string, std::less<>>;

// Not the names of functions.
Names names_in(const Expression& expression);

}  // namespace heddle
