// SPDX-License-Identifier: Apache-2.0
// The SVG: faint arcs by class of distance, one path each; then the last row's arcs; tokens on top.
#include "analyzer/draw/dependency_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "analyzer/draw/arcs.hpp"
#include "analyzer/draw/axis.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kMargin = 36;
constexpr double kTop = 66;
constexpr double kTallest = 230;
constexpr double kStub = 20;

struct Layout {
  std::int64_t n = 1;
  double step = 0;
  double radius = 0;
  double line_y = 0;
  std::array<double, 2> height{};          // of the tallest arc, by side
  std::array<std::int64_t, 2> farthest{};  // by side, 0 when it has no arcs
  bool stubs = false;

  double x(std::int64_t token) const {
    return kMargin + step / 2 + static_cast<double>(token - 1) * step;
  }
  double below() const { return height[0] > 0 ? height[0] : stubs ? kStub : 0; }
};

Layout layout_of(const Rows& rows, const std::vector<Arc>& arcs) {
  Layout layout;
  layout.n = rows.n();
  layout.step = std::min(84.0, (kWidth - 2 * kMargin) / static_cast<double>(layout.n));
  layout.radius = std::clamp(0.36 * layout.step, 1.1, 12.0);
  for (const Arc& arc : arcs) {
    auto& farthest = layout.farthest[arc.side == Side::kA ? 0 : 1];
    farthest = std::max(farthest, arc.to - arc.from);
  }
  for (std::size_t side = 0; side < 2; ++side) {
    // A half ellipse looks right at about 0.6 of its radius; few tokens need less room.
    layout.height[side] =
        std::min(kTallest, 0.36 * layout.step * static_cast<double>(layout.farthest[side]) + 6);
    if (layout.farthest[side] == 0) layout.height[side] = 0;
  }
  for (std::int64_t i = 1; i <= layout.n; ++i) layout.stubs |= reads_own_input(rows.a, i);
  layout.line_y = kTop + std::max(layout.height[1], 8.0) + layout.radius;
  return layout;
}

// A cubic whose middle is three quarters of the way to its control points.
void append_arc(PathData& path, const Layout& layout, const Arc& arc) {
  const std::size_t side = arc.side == Side::kA ? 0 : 1;
  const double up = arc.side == Side::kB ? -1 : 1;
  const double height =
      layout.height[side] * arc_height(arc.to - arc.from, layout.farthest[side]) * 4 / 3;
  const double y = layout.line_y;
  const double x0 = layout.x(arc.from);
  const double x1 = layout.x(arc.to);
  const double lean = 0.08 * (x1 - x0);
  path.move(x0, y).curve(x0 + lean, y + up * height, x1 - lean, y + up * height, x1, y);
}

// 0 for the shortest distances to 3 for the longest: long arcs are thinner and lighter.
int class_of(const Arc& arc) {
  const std::int64_t distance = arc.to - arc.from;
  return distance <= 2 ? 0 : distance <= 8 ? 1 : distance <= 32 ? 2 : 3;
}

void draw_arcs(Svg& svg, const Layout& layout, const std::vector<Arc>& arcs) {
  // Crowded pictures need thinner lines; an average of ten arcs a token counts as crowded.
  const double crowd = std::clamp(
      10.0 * static_cast<double>(layout.n) / static_cast<double>(arcs.size() + 1), 0.25, 1.0);
  const double scale = std::clamp(layout.step / 12, 0.45, 1.0);
  std::map<std::tuple<bool, int, Side>, PathData> paths;  // long classes first
  for (const Arc& arc : arcs) {
    append_arc(paths[{arc.of_last_row, -class_of(arc), arc.side}], layout, arc);
  }
  for (const auto& [key, path] : paths) {
    const auto& [of_last_row, minus_class, side] = key;
    const double fade = 1 + 0.22 * minus_class;
    Paint paint = {.stroke = palette::colour_of(side)};
    paint.width = of_last_row ? std::max(1.3, 2 * scale) : std::max(0.5, 1.2 * scale * fade);
    paint.opacity = of_last_row ? 1 : 0.62 * fade * (0.35 + 0.65 * crowd);
    svg.path(path, paint);
  }
}

void draw_own_inputs(Svg& svg, const Layout& layout, const Rows& rows) {
  PathData stubs;
  const double y = layout.line_y + layout.radius;
  for (std::int64_t i = 1; i <= layout.n; ++i) {
    if (!reads_own_input(rows.a, i)) continue;
    stubs.move(layout.x(i), y + std::min(kStub - 6, 10.0)).vertical(y);
  }
  const double width = std::clamp(0.16 * layout.step, 1.0, 3.0);
  svg.path(stubs, {.stroke = palette::kSideA, .width = width});
}

void draw_tokens(Svg& svg, const Layout& layout) {
  const bool numbered = layout.radius >= 8;
  for (std::int64_t i = 1; i <= layout.n; ++i) {
    const bool last = i == layout.n;
    const double x = layout.x(i);
    Paint paint = {.fill = last ? palette::kInk : numbered ? palette::kPaper : palette::kMuted};
    if (numbered) paint.stroke = palette::kInk;
    svg.circle(x, layout.line_y, last && !numbered ? layout.radius + 1 : layout.radius, paint);
    if (!numbered) continue;
    svg.text(
        x, layout.line_y + 4, std::to_string(i),
        {.size = 11, .fill = last ? palette::kPaper : palette::kInk, .anchor = Anchor::kMiddle});
  }
  if (numbered) return;
  const double y = layout.line_y + layout.radius + layout.below() + 16;
  for (const std::int64_t t : token_ticks(layout.n, 9)) {
    svg.text(layout.x(t), y, std::to_string(t),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kMiddle});
  }
}

}  // namespace

Result<std::string> dependency_svg(std::string_view name, const Rows& rows) {
  if (const auto problem = too_large_for_arcs(rows)) return *problem;
  const std::vector<Arc> arcs = arcs_of(rows);
  const Layout layout = layout_of(rows, arcs);
  const double legend_y = layout.line_y + layout.radius + layout.below() + 44;
  Svg svg(kWidth, legend_y + 18, fmt::format("dependency graph of {}, n = {}", name, rows.n()));
  const auto input_arcs =
      std::count_if(arcs.begin(), arcs.end(), [](const Arc& arc) { return arc.side == Side::kA; });
  const auto count = static_cast<std::int64_t>(arcs.size());
  draw_title(svg, kMargin, name,
             fmt::format("n = {}; {} edges between tokens, all pointing right; bold: what row {} "
                         "reads",
                         rows.n(), grouped(count), rows.n()));
  draw_arcs(svg, layout, arcs);
  if (layout.stubs) draw_own_inputs(svg, layout, rows);
  draw_tokens(svg, layout);

  std::vector<LegendEntry> legend;
  if (count > input_arcs) legend.push_back({palette::kSideB, "above: row i reads output y of j"});
  if (input_arcs > 0) {
    legend.push_back({palette::kSideA, "below: row i reads input x of j"});
  } else if (layout.stubs) {
    legend.push_back({palette::kSideA, "stub: row i reads its own input x"});
  }
  draw_legend(svg, kMargin, legend_y, "", legend);
  return std::move(svg).finish();
}

}  // namespace heddle
