// SPDX-License-Identifier: Apache-2.0
// Vertex-disjoint paths through the dependency graph of a pattern, with the cut that proves that
// there are no more. The only user of Boost.Graph.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/measures/graph_vertex.hpp"
#include "patterns/materialize.hpp"

namespace heddle {

struct DisjointPaths {
  std::int64_t count = 0;
  // As many vertices; each path from inputs 1..cut to outputs after `cut` meets one of them.
  std::vector<GraphVertex> cut_set;
};

// The largest number of vertex-disjoint paths from inputs x_j, j <= cut, to outputs y_i,
// cut < i <= n. An interval of a row costs O(log n) edges, however long it is.
DisjointPaths max_disjoint_paths(const Rows& rows, std::int64_t cut);

}  // namespace heddle
