// SPDX-License-Identifier: Apache-2.0
// Bounds on the entries of a row that hold for every length, read off its plan.
#pragma once

#include <optional>
#include <vector>

#include "codegen/row_width.hpp"
#include "codegen/rows/row_plan.hpp"
#include "patterns/pattern.hpp"

namespace heddle::rows {

// Nothing where some part of the row has no such bound.
std::optional<std::vector<EntryCount>> entry_counts(const Pattern& pattern, const RowPlan& plan);

}  // namespace heddle::rows
