// SPDX-License-Identifier: Apache-2.0
// One occupancy panel for each side that keeps anything, one curve for the total.
#include "analyzer/draw/cache_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "analyzer/draw/cells.hpp"
#include "patterns/result.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kLeft = 66;
constexpr double kPlot = 706;
constexpr double kCurveHeight = 104;
constexpr std::int64_t kMostCells = 256;
constexpr std::int64_t kMostWithGaps = 64;
constexpr std::int64_t kMostCurvePoints = 700;

using LastReadSpan = std::span<const std::int64_t>;

// The tokens after which position p is kept, cut at n; empty when low > high.
Interval kept(LastReadSpan last_read, std::int64_t p) {
  const auto n = static_cast<std::int64_t>(last_read.size());
  const std::int64_t last = last_read[static_cast<std::size_t>(p - 1)];
  return {p, std::min(n, last == INT64_MAX ? n : last - 1)};
}

std::vector<std::int64_t> kept_counts(LastReadSpan last_read) {
  std::vector<std::int64_t> counts(last_read.size() + 1, 0);
  for (std::int64_t p = 1; p <= static_cast<std::int64_t>(last_read.size()); ++p) {
    const Interval times = kept(last_read, p);
    if (times.low > times.high) continue;
    ++counts[static_cast<std::size_t>(times.low - 1)];
    --counts[static_cast<std::size_t>(times.high)];
  }
  counts.pop_back();
  std::partial_sum(counts.begin(), counts.end(), counts.begin());
  return counts;
}

struct Panel {
  Side side;
  LastReadSpan last_read;
};

void draw_occupancy(Svg& svg, const Box& box, const Panel& panel) {
  const auto n = static_cast<std::int64_t>(panel.last_read.size());
  const Grouping grouping = group_tokens(n, kMostCells);
  CountGrid grid(grouping);
  for (std::int64_t p = 1; p <= n; ++p) grid.mark(p, kept(panel.last_read, p));

  const std::int64_t cells = grouping.cells();
  const CellPainting painting = {box, cells, cells};
  const bool gaps = n <= kMostWithGaps;
  const auto points = [&](std::int64_t row, std::int64_t column) {
    return causal_points(grouping, column, cells - 1 - row, false);  // position 1 at the bottom
  };
  paint_cells(svg, painting, std::array{gaps ? palette::kGrid : palette::kVoid},
              [&](std::int64_t r, std::int64_t c) { return points(r, c) > 0 ? 1 : 0; });
  paint_cells(svg, painting, palette::ramp_of(panel.side), [&](std::int64_t r, std::int64_t c) {
    return share_level(grid.count(cells - 1 - r, c), points(r, c));
  });
  if (gaps) draw_cell_gaps(svg, painting);

  svg.text(box.x + 10, box.y + 18, panel.side == Side::kA ? "inputs x kept" : "outputs y kept",
           {.size = 12, .fill = palette::colour_of(panel.side), .bold = true});
  draw_token_axis_left(svg, box, n, "position p", Upward::kYes);
  svg.line(box.x, box.bottom(), box.right(), box.bottom(), {.stroke = palette::kRule});
}

// A staircase for few tokens; for many the band between the least and the most of each group.
void draw_curve(Svg& svg, const Box& box, const std::vector<std::int64_t>& counts) {
  const auto n = static_cast<std::int64_t>(counts.size());
  const auto peak = std::max_element(counts.begin(), counts.end());
  const std::vector<double> ticks =
      value_ticks(static_cast<double>(std::max<std::int64_t>(*peak, 1)), 3);
  const double top = std::max(ticks.back(), 1.22 * static_cast<double>(*peak));
  const auto x_of = [&](std::int64_t tokens_before) {
    return box.x + box.width * static_cast<double>(tokens_before) / static_cast<double>(n);
  };
  const auto y_of = [&](double value) { return box.bottom() - box.height * value / top; };

  for (const double tick : ticks) {
    if (tick > 0) svg.line(box.x, y_of(tick), box.right(), y_of(tick), {.stroke = palette::kGrid});
    svg.text(box.x - 7, y_of(tick) + 4, svg_number(tick),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kEnd});
  }
  const Grouping grouping = group_tokens(n, kMostCurvePoints);
  PathData area;
  PathData edge;
  area.move(box.x, box.bottom());
  for (std::int64_t cell = 0; cell < grouping.cells(); ++cell) {
    const auto first = counts.begin() + (grouping.first(cell) - 1);
    const auto last = counts.begin() + grouping.last(cell);
    const double y = y_of(static_cast<double>(*std::max_element(first, last)));
    const double left = x_of(grouping.first(cell) - 1);
    area.line(left, y).horizontal(x_of(grouping.last(cell)));
    cell == 0 ? edge.move(left, y) : edge.vertical(y);
    edge.horizontal(x_of(grouping.last(cell)));
  }
  area.vertical(box.bottom()).close();
  svg.path(area, {.fill = palette::kInk, .opacity = 0.08});
  svg.path(edge, {.stroke = palette::kInk, .width = 1.4});

  if (*peak > 0) {
    const std::int64_t at = peak - counts.begin() + 1;
    const double x = (x_of(at - 1) + x_of(at)) / 2;
    const double y = y_of(static_cast<double>(*peak));
    svg.circle(x, y, 3.2, {.fill = palette::kInk});
    const std::string label = fmt::format("most: {} at i = {}", grouped(*peak), at);
    const double half = 0.56 * text_width(label, 12);
    svg.text(std::clamp(x, box.x + half, box.right() - half), y - 8, label,
             {.size = 12, .anchor = Anchor::kMiddle, .bold = true, .halo = true});
  }
  draw_token_axis_below(svg, box, n, "after token i");
  svg.line(box.x, box.y, box.x, box.bottom(), {.stroke = palette::kRule});
  svg.text(box.x - 48, box.y + box.height / 2, "kept",
           {.size = 12, .anchor = Anchor::kMiddle, .turn = -90});
}

std::vector<Panel> panels_of(const CachePictureInput& input) {
  std::vector<Panel> panels;
  for (const Panel panel :
       {Panel{Side::kA, input.last_read_of_inputs}, Panel{Side::kB, input.last_read_of_outputs}}) {
    for (std::int64_t p = 1; p <= static_cast<std::int64_t>(panel.last_read.size()); ++p) {
      const Interval times = kept(panel.last_read, p);
      if (times.low > times.high) continue;
      panels.push_back(panel);
      break;
    }
  }
  return panels;
}

}  // namespace

std::string cache_svg(const CachePictureInput& input) {
  const auto n = static_cast<std::int64_t>(input.last_read_of_outputs.size());
  assert_that(n >= 1 && input.last_read_of_inputs.size() == input.last_read_of_outputs.size(),
              "both sides of a cache picture have the same number of tokens, at least one");
  std::vector<Panel> panels = panels_of(input);
  const bool nothing = panels.empty();
  if (nothing) panels.push_back({Side::kB, input.last_read_of_outputs});
  const bool grouped_cells = group_tokens(n, kMostCells).group > 1;
  const double panel_height = panels.size() == 2 ? 250 : 330;

  const double curve_top = 66 + static_cast<double>(panels.size()) * (panel_height + 18);
  const double axis_bottom = curve_top + kCurveHeight + 40;
  const bool legend = grouped_cells && !nothing;
  Svg svg(kWidth, axis_bottom + (legend ? 34 : 8),
          fmt::format("cache occupancy of {}, n = {}", input.name, n));
  std::string facts =
      fmt::format("n = {}; marked while a later row still reads the position", grouped(n));
  if (nothing)
    facts = fmt::format("n = {}; no later row reads anything, nothing is kept", grouped(n));
  if (!input.note.empty()) facts += fmt::format("; {}", input.note);
  draw_title(svg, kLeft, input.name, facts);

  double y = 66;
  double legend_x = kLeft;
  for (const Panel& panel : panels) {
    draw_occupancy(svg, {kLeft, y, kPlot, panel_height}, panel);
    y += panel_height + 18;
    if (!legend) continue;
    legend_x =
        draw_legend(svg, legend_x, axis_bottom + 18, panel.side == Side::kA ? "x kept:" : "y kept:",
                    share_legend(palette::ramp_of(panel.side))) +
        24;
  }
  std::vector<std::int64_t> counts = kept_counts(input.last_read_of_inputs);
  const std::vector<std::int64_t> outputs = kept_counts(input.last_read_of_outputs);
  std::transform(counts.begin(), counts.end(), outputs.begin(), counts.begin(), std::plus<>());
  draw_curve(svg, {kLeft, curve_top, kPlot, kCurveHeight}, counts);
  return std::move(svg).finish();
}

}  // namespace heddle
