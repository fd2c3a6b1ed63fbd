// SPDX-License-Identifier: Apache-2.0
// What crosses from tokens 1..m to the tokens after m: a largest set of vertex-disjoint paths, and
// a smallest set of vertices that every path meets. They are equally many, and that is the rank.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/measures/graph_vertex.hpp"
#include "patterns/materialize.hpp"

namespace heddle {

inline constexpr std::int64_t kMostCutTokens = 128;

struct Crossing {
  std::int64_t cut = 0;
  std::vector<std::vector<GraphVertex>> paths;  // from an input up to the cut to an output after it
  std::vector<GraphVertex> smallest_cut;        // as many vertices as there are paths
};

// At most kMostCutTokens rows.
std::string cut_svg(std::string_view name, const Rows& rows, const Crossing& crossing);

}  // namespace heddle
