// SPDX-License-Identifier: Apache-2.0
// Bounds on hops are expressions of the distance i - j, which stands in them as one name.
#pragma once

#include "patterns/ast.hpp"

namespace heddle::proof {

constexpr const char* kDistance = "i - j";  // no name of the language

// The expression with `i - j` as one name; null when i or j occur otherwise. And back.
ExpressionPtr in_distance(const ExpressionPtr& expression);
ExpressionPtr in_rows(const ExpressionPtr& bound);
// The bound at another distance.
ExpressionPtr at_distance(const ExpressionPtr& bound, const ExpressionPtr& distance);

}  // namespace heddle::proof
