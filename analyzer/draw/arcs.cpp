// SPDX-License-Identifier: Apache-2.0
// Collects and orders arcs; long ones first keeps the dense short ones visible.
#include "analyzer/draw/arcs.hpp"

#include <algorithm>
#include <cmath>

namespace heddle {
namespace {

const RowTable& table_of(const Rows& rows, Side side) { return side == Side::kA ? rows.a : rows.b; }

void append_row(std::vector<Arc>& arcs, const Rows& rows, std::int64_t i) {
  for (const Side side : {Side::kA, Side::kB}) {
    for_each_position(table_of(rows, side), i, [&](std::int64_t j) {
      if (j < i) arcs.push_back({j, i, side, i == rows.n()});
    });
  }
}

void order(std::vector<Arc>& arcs) {
  std::stable_sort(arcs.begin(), arcs.end(), [](const Arc& a, const Arc& b) {
    if (a.of_last_row != b.of_last_row) return b.of_last_row;
    if (a.to - a.from != b.to - b.from) return a.to - a.from > b.to - b.from;
    return a.side < b.side;
  });
}

// Of the arcs of one side whose starts fall on one place of the line, the first. Says whether there
// were others.
bool thin_out(std::vector<Arc>& arcs, std::int64_t n, std::int64_t resolution) {
  const auto place = [&](const Arc& arc) { return (arc.from - 1) * resolution / n; };
  const auto same = [&](const Arc& a, const Arc& b) {
    return a.side == b.side && a.to == b.to && place(a) == place(b);
  };
  const auto end = std::unique(arcs.begin(), arcs.end(), same);
  const bool thinned = end != arcs.end();
  arcs.erase(end, arcs.end());
  return thinned;
}

}  // namespace

std::int64_t count_edges(const Rows& rows) {
  std::int64_t edges = rows.a.total() + rows.b.total();
  for (std::int64_t i = 1; i <= rows.n(); ++i) edges -= reads_own_input(rows.a, i) ? 1 : 0;
  return edges;
}

bool reads_own_input(const RowTable& a, std::int64_t i) { return a.contains(i, i); }

std::vector<Arc> all_arcs(const Rows& rows) {
  std::vector<Arc> arcs;
  for (std::int64_t i = 1; i <= rows.n(); ++i) append_row(arcs, rows, i);
  order(arcs);
  return arcs;
}

SelectedArcs readable_arcs(const Rows& rows, std::int64_t most_tokens, std::int64_t most_edges,
                           std::int64_t resolution) {
  const std::int64_t n = rows.n();
  if (n <= most_tokens && rows.a.total() + rows.b.total() <= most_edges) {
    return {ArcSelection::kAll, false, all_arcs(rows)};
  }
  std::int64_t second_level = 0;
  for_each_position(rows.b, n,
                    [&](std::int64_t j) { second_level += rows.a.size(j) + rows.b.size(j); });
  SelectedArcs selected;
  append_row(selected.arcs, rows, n);
  const bool dense = static_cast<std::int64_t>(selected.arcs.size()) > 2 * resolution;
  selected.thinned = dense && thin_out(selected.arcs, n, resolution);
  if (0 < second_level && second_level <= most_edges / 6) {  // one row's context, not a crowd
    for_each_position(rows.b, n, [&](std::int64_t j) { append_row(selected.arcs, rows, j); });
    selected.selection = ArcSelection::kTwoLevels;
  } else {
    selected.selection = ArcSelection::kLastRow;
  }
  order(selected.arcs);
  return selected;
}

double arc_height(std::int64_t distance, std::int64_t farthest) {
  return std::pow(static_cast<double>(distance) / static_cast<double>(farthest), 0.72);
}

}  // namespace heddle
