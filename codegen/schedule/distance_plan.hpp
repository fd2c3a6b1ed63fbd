// SPDX-License-Identifier: Apache-2.0
// The cost model of tiles that go distance by distance (DistanceTiles): how many rows a tile has,
// and what a launch then moves and computes.
#pragma once

#include <optional>
#include <vector>

#include "codegen/schedule/staged_plan.hpp"

namespace heddle::schedule {

// Lanes that share a row: eight, or four where rows of narrow elements are scored, which then have
// two vectors of it, and for twice as many rows as much to do besides. In the transposed system
// eight: rows of reals that four lanes read and that are solved where they lie are not shown to be
// written before.
int lanes_by_distance(const KernelSpec& spec, bool transposed);

// What a tile of rows has in shared memory.
struct DistanceLayout {
  DistanceLayout(const KernelSpec& spec, std::int64_t tile_rows, bool transposed);

  // In elements, from row to row. Outputs that are reals take the place of sums.
  std::int64_t key_stride, value_stride, sum_stride;
  bool solves_in_place;
  // Distances within the tile, ascending; from weights of one to those of the next, in reals.
  std::vector<std::int64_t> within;
  std::int64_t weight_stride;
  std::int64_t bytes_of_row;  // of the tile, for its sums and weights
};

// Rows have every offset from the first one on.
bool has_every_offset(const rows::RowPlan& plan);
// For launches of rows.n() - 1 tokens; none where rows do not all reach the same distances back,
// have many of them close by, or are not cut into groups of lanes. `transposed`: of the system that
// lambda solves, whose values are reals, and which has no A.
std::optional<StagedPlan> plan_distances(const KernelSpec& spec, const Rows& rows,
                                         const StagedLimits& limits, bool transposed = false);

}  // namespace heddle::schedule
