// SPDX-License-Identifier: Apache-2.0
// The cost model of tiles of rows that read inputs only, distance by distance (InputTiles): how
// many rows a tile has and a ring has room for, and what a launch then moves and computes.
#pragma once

#include <optional>

#include "codegen/schedule/staged_plan.hpp"

namespace heddle::schedule {

// Lanes of a warp that share a row: four with softmax where registers have room for as many rows,
// since then twice as many lie side by side.
int lanes_of_inputs(const KernelSpec& spec);
// Elements between two rows of a ring: so many more than a row's that the rows of two groups which
// ask together lie in banks of their own.
std::int64_t input_stride(const KernelSpec& spec);

// For launches of rows.n() - 1 tokens; none where rows do not all reach the same distances back, or
// are not cut into groups of lanes.
std::optional<StagedPlan> plan_inputs(const KernelSpec& spec, const Rows& rows,
                                      const StagedLimits& limits);

}  // namespace heddle::schedule
