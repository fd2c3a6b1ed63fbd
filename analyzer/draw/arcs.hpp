// SPDX-License-Identifier: Apache-2.0
// The edges of a dependency picture and the shape of their arcs, shared by SVG and DOT.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

struct Arc {
  std::int64_t from = 0;  // j
  std::int64_t to = 0;    // i > j
  Side side = Side::kB;
  bool of_last_row = false;
};

// Edges between different tokens: all entries but A's diagonal.
std::int64_t count_edges(const Rows& rows);
bool reads_own_input(const RowTable& a, std::int64_t i);

// All edges, longest first, so that short arcs lie on top; then by side, row and position. The
// last row's edges come after all others.
std::vector<Arc> all_arcs(const Rows& rows);

// What can be read in a picture: everything, or when that is too much the edges of the last row
// and of the rows whose outputs it reads, or only the former. `resolution` is the number of places
// on the line that a reader can tell apart; of a last row with many more edges only the first from
// each place is kept.
enum class ArcSelection { kAll, kTwoLevels, kLastRow };
struct SelectedArcs {
  ArcSelection selection = ArcSelection::kAll;
  bool thinned = false;
  std::vector<Arc> arcs;  // in the order of all_arcs
};
SelectedArcs readable_arcs(const Rows& rows, std::int64_t most_tokens, std::int64_t most_edges,
                           std::int64_t resolution);

// How high an arc over `distance` of at most `farthest` tokens rises, in 0..1: grows with the
// distance, steeply for short ones, so that neighbours keep apart from the line.
double arc_height(std::int64_t distance, std::int64_t farthest);

}  // namespace heddle
