// SPDX-License-Identifier: Apache-2.0
// The edges of a dependency picture and the shape of their arcs, shared by SVG and DOT.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

struct Arc {
  std::int64_t from = 0;  // j
  std::int64_t to = 0;    // i > j
  Side side = Side::kB;
  bool of_last_row = false;
};

// Longest first, so that short arcs lie on top; then by row and position. The last row's arcs come
// after all others. A's diagonal entries are no arcs.
std::vector<Arc> arcs_of(const Rows& rows);
bool reads_own_input(const RowTable& a, std::int64_t i);

// How high an arc over `distance` of at most `farthest` tokens rises, in 0..1: grows with the
// distance, steeply for short ones, so that neighbours keep apart from the line.
double arc_height(std::int64_t distance, std::int64_t farthest);

// Why the graph cannot be drawn as arcs, if it cannot.
std::optional<Error> too_large_for_arcs(const Rows& rows);

}  // namespace heddle
