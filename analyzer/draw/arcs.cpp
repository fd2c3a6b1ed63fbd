// SPDX-License-Identifier: Apache-2.0
// Collects and orders arcs; long ones first keeps the dense short ones visible.
#include "analyzer/draw/arcs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzer/draw/dependency_picture.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {

std::vector<Arc> arcs_of(const Rows& rows) {
  std::vector<Arc> arcs;
  for (const Side side : {Side::kA, Side::kB}) {
    const RowTable& table = side == Side::kA ? rows.a : rows.b;
    for (std::int64_t i = 1; i <= rows.n(); ++i) {
      for_each_position(table, i, [&](std::int64_t j) {
        if (j < i) arcs.push_back({j, i, side, i == rows.n()});
      });
    }
  }
  std::stable_sort(arcs.begin(), arcs.end(), [](const Arc& a, const Arc& b) {
    if (a.of_last_row != b.of_last_row) return b.of_last_row;
    return a.to - a.from > b.to - b.from;
  });
  return arcs;
}

bool reads_own_input(const RowTable& a, std::int64_t i) { return a.contains(i, i); }

double arc_height(std::int64_t distance, std::int64_t farthest) {
  return std::pow(static_cast<double>(distance) / static_cast<double>(farthest), 0.72);
}

std::optional<Error> too_large_for_arcs(const Rows& rows) {
  if (rows.n() < 1) return Error{"a dependency graph needs at least one token"};
  if (rows.n() > kMostGraphTokens) {
    return Error{
        fmt::format("a dependency graph is readable up to n = {}, not at n = {}; "
                    "draw the matrix instead",
                    kMostGraphTokens, rows.n())};
  }
  const std::int64_t edges = rows.a.total() + rows.b.total();
  if (edges > kMostGraphEdges) {
    return Error{
        fmt::format("a dependency graph is readable up to {} edges, and this one has {}; "
                    "choose a smaller n or draw the matrix instead",
                    grouped(kMostGraphEdges), grouped(edges))};
  }
  return std::nullopt;
}

}  // namespace heddle
