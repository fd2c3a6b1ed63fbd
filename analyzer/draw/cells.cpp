// SPDX-License-Identifier: Apache-2.0
// One path per colour. A run of equal cells in a row is a horizontal stroke one cell wide, written
// with relative moves: six bytes or so instead of a rectangle's sixteen.
#include "analyzer/draw/cells.hpp"

#include <algorithm>

namespace heddle {
namespace {

class RunPath {
 public:
  void run(std::int64_t row, std::int64_t column, std::int64_t length) {
    // Only a path's first move is absolute; m dx dy starts from the end of the previous run.
    data_ += data_.empty() ? 'M' : 'm';
    data_ += std::to_string(column - column_);
    const std::int64_t down = row - row_;
    if (down >= 0) data_ += ' ';
    data_ += std::to_string(down);
    data_ += 'h' + std::to_string(length);
    row_ = row;
    column_ = column + length;
  }
  const std::string& str() const { return data_; }

 private:
  std::string data_;
  std::int64_t row_ = 0;
  std::int64_t column_ = 0;
};

template <typename Visit>
void for_each_run(const CellPainting& painting,
                  const std::function<int(std::int64_t, std::int64_t)>& level_of, Visit&& visit) {
  for (std::int64_t row = 0; row < painting.rows; ++row) {
    for (std::int64_t column = 0; column < painting.columns;) {
      const int level = level_of(row, column);
      std::int64_t end = column + 1;
      while (end < painting.columns && level_of(row, end) == level) ++end;
      if (level > 0) visit(level, row, column, end - column);
      column = end;
    }
  }
}

}  // namespace

Grouping group_tokens(std::int64_t n, std::int64_t most_cells) {
  Grouping grouping{n, 1};
  while (grouping.cells() > most_cells) grouping.group *= 2;
  return grouping;
}

CountGrid::CountGrid(const Grouping& grouping)
    : grouping_(grouping),
      counts_(static_cast<std::size_t>(grouping.cells() * grouping.cells()), 0) {}

void CountGrid::mark(std::int64_t row, const Interval& interval) {
  const std::size_t base = static_cast<std::size_t>(grouping_.cell_of(row) * grouping_.cells());
  const std::int64_t high = std::min(interval.high, grouping_.n);
  for (std::int64_t p = std::max<std::int64_t>(interval.low, 1); p <= high;) {
    const std::int64_t cell = grouping_.cell_of(p);
    const std::int64_t end = std::min(high, grouping_.last(cell));
    counts_[base + static_cast<std::size_t>(cell)] += end - p + 1;
    p = end + 1;
  }
}

std::int64_t CountGrid::count(std::int64_t row_cell, std::int64_t column_cell) const {
  return counts_[static_cast<std::size_t>(row_cell * grouping_.cells() + column_cell)];
}

std::int64_t causal_points(const Grouping& grouping, std::int64_t row_cell,
                           std::int64_t column_cell, bool strict) {
  if (column_cell > row_cell) return 0;
  const std::int64_t size = grouping.size(row_cell);
  if (column_cell < row_cell) return size * grouping.size(column_cell);
  return strict ? size * (size - 1) / 2 : size * (size + 1) / 2;
}

int share_level(std::int64_t count, std::int64_t points) {
  if (count == 0) return 0;
  if (count >= points) return 5;
  if (count * 100 <= points) return 1;
  if (count * 20 <= points) return 2;
  return count * 5 <= points ? 3 : 4;
}

std::vector<LegendEntry> share_legend(std::span<const std::string_view> ramp) {
  std::vector<LegendEntry> legend;
  for (std::size_t k = 0; k < kShareTexts.size(); ++k) {
    legend.push_back({ramp[k], std::string(kShareTexts[k])});
  }
  return legend;
}

void paint_cells(Svg& svg, const CellPainting& painting, std::span<const std::string_view> colours,
                 const std::function<int(std::int64_t, std::int64_t)>& level_of) {
  const Box& box = painting.box;
  const double cell_width = box.width / static_cast<double>(painting.columns);
  const double cell_height = box.height / static_cast<double>(painting.rows);
  std::vector<RunPath> paths(colours.size());
  for_each_run(painting, level_of, [&](int level, auto row, auto column, auto length) {
    paths[static_cast<std::size_t>(level - 1)].run(row, column, length);
  });
  svg.begin_cells(box.x, box.y + cell_height / 2, cell_width, cell_height);
  for (std::size_t k = 0; k < colours.size(); ++k) svg.strokes(paths[k].str(), colours[k]);
  svg.end_group();
}

void draw_cell_gaps(Svg& svg, const CellPainting& painting) {
  const Box& box = painting.box;
  PathData gaps;
  for (std::int64_t c = 1; c < painting.columns; ++c) {
    const double share = static_cast<double>(c) / static_cast<double>(painting.columns);
    gaps.move(box.x + box.width * share, box.y).vertical(box.bottom());
  }
  for (std::int64_t r = 1; r < painting.rows; ++r) {
    const double share = static_cast<double>(r) / static_cast<double>(painting.rows);
    gaps.move(box.x, box.y + box.height * share).horizontal(box.right());
  }
  const double cell = std::min(box.width / static_cast<double>(painting.columns),
                               box.height / static_cast<double>(painting.rows));
  svg.path(gaps, {.stroke = palette::kPaper, .width = std::min(2.0, 0.16 * cell)});
}

}  // namespace heddle
