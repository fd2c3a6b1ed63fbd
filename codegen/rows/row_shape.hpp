// SPDX-License-Identifier: Apache-2.0
// What is known of a row before it is walked: shapes that a kernel can go through faster than
// position by position. Each is recognised from the plan; anything else is kWalked, which is always
// right.
#pragma once

#include <cstdint>
#include <optional>

#include "codegen/rows/row_plan.hpp"

namespace heddle::rows {

enum class RowShape {
  kEmpty,
  kItself,   // {i}
  kShifted,  // { i - o : o in O, o < i } for one set O: every row is a beginning of a later one's
  kLattice,  // one lattice and nothing else
  kWalked
};
RowShape shape_of(const RowPlan& plan);

// A = {i} and B = {i - 1} as far as that lies in 1..i-1, in every row.
bool is_first_order(const Pattern& pattern, const RowPlan& a, const RowPlan& b);

// The w > 1 of {i - w + 1 .. i} as far as that lies in 1..i, in every row.
std::optional<std::int64_t> window_of(const Pattern& pattern, const RowPlan& plan);

}  // namespace heddle::rows
