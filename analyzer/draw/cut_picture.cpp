// SPDX-License-Identifier: Apache-2.0
// Outputs on a line with inputs below it; reads of outputs are arcs above, reads of inputs below.
// Faint: all reads of outputs; bold: the paths; rings: the smallest cut.
#include "analyzer/draw/cut_picture.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/draw/arcs.hpp"
#include "analyzer/draw/axis.hpp"
#include "analyzer/draw/svg.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kMargin = 36;
constexpr double kTop = 66;
constexpr double kTallest = 230;
constexpr double kInputsBelow = 34;  // the line of inputs under that of outputs
constexpr double kDeepest = 110;

struct Layout {
  double step = 0;
  double radius = 0;
  double line_y = 0;
  double above = 0, below = 0;  // heights of the farthest arcs
  std::int64_t farthest_output = 1, farthest_input = 1;

  double x(std::int64_t token) const {
    return kMargin + step / 2 + static_cast<double>(token - 1) * step;
  }
  double input_y() const { return line_y + kInputsBelow; }
  double y_of(const GraphVertex& vertex) const {
    return vertex.side == Side::kA ? input_y() : line_y;
  }
};

Layout layout_of(const Rows& rows, const std::vector<Arc>& arcs) {
  Layout layout;
  layout.step = std::min(84.0, (kWidth - 2 * kMargin) / static_cast<double>(rows.n()));
  layout.radius = std::clamp(0.3 * layout.step, 1.6, 8.0);
  bool inputs = false;
  for (const Arc& arc : arcs) {
    auto& farthest = arc.side == Side::kB ? layout.farthest_output : layout.farthest_input;
    farthest = std::max(farthest, arc.to - arc.from);
    inputs = inputs || arc.side == Side::kA;
  }
  const auto height = [&](std::int64_t farthest, double most) {
    return std::min(most, 0.36 * layout.step * static_cast<double>(farthest) + 6);
  };
  layout.above = height(layout.farthest_output, kTallest);
  layout.below = inputs ? height(layout.farthest_input, kDeepest) : 0;
  layout.line_y = kTop + layout.above + 2 * layout.radius;
  return layout;
}

// From an output to a later one, above the line.
void append_output_arc(PathData& path, const Layout& layout, std::int64_t from, std::int64_t to) {
  const double height = layout.above * arc_height(to - from, layout.farthest_output) * 4 / 3;
  const double x0 = layout.x(from), x1 = layout.x(to), y = layout.line_y;
  const double lean = 0.08 * (x1 - x0);
  path.move(x0, y).curve(x0 + lean, y - height, x1 - lean, y - height, x1, y);
}

// From an input to the output that reads it: straight up, or below all inputs and up.
void append_input_arc(PathData& path, const Layout& layout, std::int64_t from, std::int64_t to) {
  path.move(layout.x(from), layout.input_y());
  if (from == to) {
    path.vertical(layout.line_y);
    return;
  }
  const double low =
      layout.input_y() + layout.below * arc_height(to - from, layout.farthest_input) * 4 / 3;
  path.curve(layout.x(from), low, layout.x(to), low, layout.x(to), layout.line_y);
}

void draw_reads(Svg& svg, const Layout& layout, const std::vector<Arc>& arcs) {
  constexpr std::size_t kMostInPath = 24;  // renderers are slow on long paths of crossing curves
  const double crowd = std::clamp(400.0 / static_cast<double>(arcs.size() + 1), 0.2, 1.0);
  PathData path;
  std::size_t held = 0;
  const auto flush = [&] {
    if (!path.empty()) svg.path(path, {.stroke = palette::kRule, .width = 0.7, .opacity = crowd});
    path = {};
    held = 0;
  };
  for (const Arc& arc : arcs) {
    if (arc.side != Side::kB) continue;
    append_output_arc(path, layout, arc.from, arc.to);
    if (++held == kMostInPath) flush();
  }
  flush();
}

void draw_paths(Svg& svg, const Layout& layout,
                const std::vector<std::vector<GraphVertex>>& paths) {
  const double width = std::clamp(0.12 * layout.step, 1.2, 2.6);
  for (std::size_t e = 0; e < paths.size(); ++e) {
    PathData data;
    for (std::size_t at = 1; at < paths[e].size(); ++at) {
      const GraphVertex& from = paths[e][at - 1];
      const GraphVertex& to = paths[e][at];
      if (from.side == Side::kA) {
        append_input_arc(data, layout, from.token, to.token);
      } else {
        append_output_arc(data, layout, from.token, to.token);
      }
    }
    // The last colour is the ink of the cut.
    const auto colour = palette::kSeries[e % (palette::kSeries.size() - 1)];
    svg.path(data, {.stroke = colour, .width = width});
  }
}

void draw_vertices(Svg& svg, const Layout& layout, const Rows& rows, const Crossing& crossing) {
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    svg.circle(layout.x(i), layout.line_y, layout.radius,
               {.fill = i <= crossing.cut ? palette::kSideB : palette::kMuted});
    const double side = 1.6 * layout.radius;
    svg.rectangle(layout.x(i) - side / 2, layout.input_y() - side / 2, side, side,
                  {.fill = i <= crossing.cut ? palette::kSideA : palette::kUnreachable});
  }
  for (const GraphVertex& vertex : crossing.smallest_cut) {
    svg.circle(layout.x(vertex.token), layout.y_of(vertex), layout.radius + 3,
               {.stroke = palette::kInk, .width = 1.8});
  }
}

}  // namespace

std::string cut_svg(std::string_view name, const Rows& rows, const Crossing& crossing) {
  assert_that(1 <= rows.n() && rows.n() <= kMostCutTokens, "the picture is legible");
  const std::size_t count = crossing.paths.size();
  const std::vector<Arc> arcs = all_arcs(rows);
  const Layout layout = layout_of(rows, arcs);
  const double ticks_y = layout.input_y() + layout.below + 24;
  const double legend_y = ticks_y + 30;
  Svg svg(kWidth, legend_y + 18,
          fmt::format("what crosses the cut of {} after token {}", name, crossing.cut));
  draw_title(
      svg, kMargin, name,
      fmt::format("n = {}; rank across the cut after {}: {} disjoint {}, and {} {} that meet "
                  "every such path",
                  rows.n(), crossing.cut, count, count == 1 ? "path" : "paths", count,
                  count == 1 ? "vertex" : "vertices"));
  draw_reads(svg, layout, arcs);
  const double x = layout.x(crossing.cut) + layout.step / 2;
  svg.line(x, kTop - 4, x, ticks_y - 12, {.stroke = palette::kMuted, .width = 1.2, .dashed = true});
  draw_paths(svg, layout, crossing.paths);
  draw_vertices(svg, layout, rows, crossing);
  for (const std::int64_t t : token_ticks(rows.n(), 9)) {
    svg.text(layout.x(t), ticks_y, std::to_string(t),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kMiddle});
  }
  draw_legend(svg, kMargin, legend_y, "",
              {{palette::kSideB, "circle: output y"},
               {palette::kSideA, "square: input x"},
               {palette::kInk, "ring: in the smallest cut"},
               {palette::kRule, "reads off the paths"}});
  return std::move(svg).finish();
}

}  // namespace heddle
