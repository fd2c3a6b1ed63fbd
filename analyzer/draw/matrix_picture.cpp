// SPDX-License-Identifier: Apache-2.0
// Two square panels with a common row axis, and a legend of shares when cells hold several entries.
#include "analyzer/draw/matrix_picture.hpp"

#include <fmt/format.h>

#include "analyzer/draw/cells.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kPanel = 336;
constexpr double kTop = 92;
constexpr std::int64_t kMostCells = 168;  // two pixels each
constexpr std::int64_t kMostWithGaps = 64;

Paint triangle_paint() { return {.fill = palette::kVoid}; }

std::string entries_of(const RowTable& table, bool strict) {
  const std::int64_t n = table.rows();
  const std::int64_t causal = strict ? n * (n - 1) / 2 : n * (n + 1) / 2;
  if (table.total() == 0) return "none";
  const double sparsity = 1 - static_cast<double>(table.total()) / static_cast<double>(causal);
  if (table.total() == causal) return fmt::format("all {} entries", grouped(causal));
  return fmt::format("{} {}, {} sparse", grouped(table.total()),
                     table.total() == 1 ? "entry" : "entries", percent(sparsity));
}

// The share of causal entries that row i may not read is no sparsity: only j <= i counts.
void draw_panel(Svg& svg, const Box& box, const RowTable& table, Side side) {
  const bool strict = side == Side::kB;
  const Grouping grouping = group_tokens(table.rows(), kMostCells);
  CountGrid grid(grouping);
  for (std::int64_t i = 1; i <= table.rows(); ++i) {
    for (const Interval& interval : table.row(i)) grid.mark(i, interval);
  }
  const bool gaps = grouping.group == 1 && grouping.n <= kMostWithGaps;
  const CellPainting painting = {box, grouping.cells(), grouping.cells()};
  if (gaps) {
    paint_cells(svg, painting, std::array{palette::kGrid}, [&](std::int64_t r, std::int64_t c) {
      return causal_points(grouping, r, c, strict) > 0 ? 1 : 0;
    });
  } else {
    PathData above;
    above.move(box.x, box.y).horizontal(box.right()).vertical(box.bottom()).close();
    svg.path(above, triangle_paint());
  }
  paint_cells(svg, painting, palette::ramp_of(side), [&](std::int64_t r, std::int64_t c) {
    return share_level(grid.count(r, c), causal_points(grouping, r, c, strict));
  });
  if (gaps) draw_cell_gaps(svg, painting);
}

void draw_head(Svg& svg, const Box& box, Side side, std::string_view reads,
               const std::string& entries) {
  const std::string_view letter = side == Side::kA ? "A" : "B";
  svg.text(box.x, box.y - 12, letter, {.size = 15, .fill = palette::colour_of(side), .bold = true});
  svg.text(box.x + 17, box.y - 12, fmt::format("{}: {}", reads, entries),
           {.size = 12, .fill = palette::kMuted});
}

}  // namespace

std::string matrix_svg(std::string_view name, const Rows& rows) {
  const std::int64_t n = rows.n();
  const Grouping grouping = group_tokens(n, kMostCells);
  const bool grouped_cells = grouping.group > 1;
  Svg svg(kWidth, grouped_cells ? 524 : 486,
          fmt::format("matrices A and B of {}, n = {}", name, n));
  const Box a = {62, kTop, kPanel, kPanel};
  const Box b = {a.right() + 46, kTop, kPanel, kPanel};

  std::string facts = fmt::format("n = {}; row i reads the marked columns", grouped(n));
  if (grouped_cells) {
    facts += fmt::format("; each cell stands for {0} by {0} entries", grouping.group);
  }
  draw_title(svg, a.x, name, facts);
  draw_panel(svg, a, rows.a, Side::kA);
  draw_panel(svg, b, rows.b, Side::kB);
  draw_head(svg, a, Side::kA, "inputs x", entries_of(rows.a, false));
  draw_head(svg, b, Side::kB, "earlier outputs y", entries_of(rows.b, true));
  draw_token_axis_below(svg, a, n, "input j");
  draw_token_axis_below(svg, b, n, "output j");
  draw_token_axis_left(svg, a, n, "row i", Upward::kNo);
  draw_token_axis_left(svg, b, n, "", Upward::kNo, Labels::kNo);
  if (grouped_cells) {
    if (rows.a.total() > 0) draw_legend(svg, a.x, 506, "read:", share_legend(palette::kRampA));
    if (rows.b.total() > 0) draw_legend(svg, b.x, 506, "read:", share_legend(palette::kRampB));
  }
  return std::move(svg).finish();
}

}  // namespace heddle
