// SPDX-License-Identifier: Apache-2.0
// What the classes in claims mean.
#pragma once

#include <cstdint>

#include "patterns/ast.hpp"
#include "patterns/integer.hpp"

namespace heddle {

// The class's function at i >= 1, from floors of roots and logarithms.
Integer growth_value(const GrowthClass& growth, std::int64_t i);
// Does a/b exceed every constant in the end?
bool grows_faster(const GrowthClass& a, const GrowthClass& b);

}  // namespace heddle
