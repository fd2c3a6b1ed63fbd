// SPDX-License-Identifier: Apache-2.0
// Grids of coloured cells: tokens grouped into cells, shares counted exactly from intervals, and
// runs of equal cells painted as one stroke, so that a picture of thousands of tokens stays small.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/draw/axis.hpp"
#include "patterns/intervals.hpp"

namespace heddle {

// Tokens 1..n in groups of `group` consecutive ones; the last group may be shorter.
struct Grouping {
  std::int64_t n = 0;
  std::int64_t group = 1;
  std::int64_t cells() const { return (n + group - 1) / group; }
  std::int64_t cell_of(std::int64_t token) const { return (token - 1) / group; }
  std::int64_t first(std::int64_t cell) const { return cell * group + 1; }
  std::int64_t last(std::int64_t cell) const { return std::min(n, (cell + 1) * group); }
  std::int64_t size(std::int64_t cell) const { return last(cell) - first(cell) + 1; }
};
// The smallest power of two as group size that leaves at most `most_cells` cells.
Grouping group_tokens(std::int64_t n, std::int64_t most_cells);

// How many marked points each cell of a square grid holds.
class CountGrid {
 public:
  explicit CountGrid(const Grouping& grouping);
  // Marks (row, p) for each p of the interval.
  void mark(std::int64_t row, const Interval& interval);
  std::int64_t count(std::int64_t row_cell, std::int64_t column_cell) const;
  const Grouping& grouping() const { return grouping_; }

 private:
  Grouping grouping_;
  std::vector<std::int64_t> counts_;
};

// Points (i, j) of a cell with j <= i, or j < i when strict.
std::int64_t causal_points(const Grouping& grouping, std::int64_t row_cell,
                           std::int64_t column_cell, bool strict);

// 0 for an empty cell, 5 for a full one, 1..4 between; the texts name the bounds.
int share_level(std::int64_t count, std::int64_t points);
inline constexpr std::array<std::string_view, 5> kShareTexts = {"≤ 1 %", "≤ 5 %", "≤ 20 %",
                                                                "< 100 %", "all"};
std::vector<LegendEntry> share_legend(std::span<const std::string_view> ramp);

// level_of(row, column) in 0..colours.size(); cells of level 0 are left as they are. Row 0 is on
// top.
struct CellPainting {
  Box box;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};
void paint_cells(Svg& svg, const CellPainting& painting, std::span<const std::string_view> colours,
                 const std::function<int(std::int64_t, std::int64_t)>& level_of);
// Lines of paper between the cells, so that few and large cells stand apart.
void draw_cell_gaps(Svg& svg, const CellPainting& painting);

}  // namespace heddle
