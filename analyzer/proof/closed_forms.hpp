// SPDX-License-Identifier: Apache-2.0
// Closed forms of a measure of one variable: guessed from its first values, kept only when proved
// for every value of the variable.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "patterns/ast.hpp"

namespace heddle::proof {

// Expressions of the pattern language, "sqrt(i - 2) + 2 for i >= 2"; empty where none was proved.
struct ClosedForms {
  std::string exact;
  std::string lower;
  std::string upper;
};

enum class FormKind { kExact, kLower, kUpper };

// Classes that have been proved: a form above the upper one, or below the lower, says less.
struct KnownClasses {
  std::optional<GrowthClass> upper, lower;
};

// `values` are those at 1, 2, ...; `proves` decides a form such as "i + 1 for i >= 2".
ClosedForms find_closed_forms(const std::string& variable, const std::vector<std::int64_t>& values,
                              const KnownClasses& classes,
                              const std::function<bool(FormKind, const std::string&)>& proves);

}  // namespace heddle::proof
