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
constexpr std::int64_t kPlaces = 120;  // from where arcs of one dense row start

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
  bool crowded() const { return n > kMostGraphTokens; }
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
  // Crowded pictures need thinner and lighter lines; ten arcs a token count as crowded.
  const auto count = static_cast<double>(arcs.size());
  const double crowd = std::clamp(10.0 * static_cast<double>(layout.n) / (count + 1), 0.25, 1.0);
  const double fading = 0.22 * std::clamp(count / 300, 0.0, 1.0);
  const double scale = layout.crowded() ? 0.7 : std::clamp(layout.step / 12, 0.45, 1.0);
  const auto last_row =
      std::count_if(arcs.begin(), arcs.end(), [](const Arc& arc) { return arc.of_last_row; });
  const double bold = last_row > 40 ? 0.9 : std::max(1.3, 2 * scale);

  // Renderers take quadratic time on one path of many crossing curves, so paths are short.
  struct Batch {
    PathData path;
    std::size_t arcs = 0;
  };
  constexpr std::size_t kMostInPath = 24;
  using Key = std::tuple<bool, int, Side>;  // long classes first
  std::map<Key, std::vector<Batch>> batches;
  for (const Arc& arc : arcs) {
    std::vector<Batch>& list = batches[{arc.of_last_row, -class_of(arc), arc.side}];
    if (list.empty() || list.back().arcs == kMostInPath) list.emplace_back();
    append_arc(list.back().path, layout, arc);
    ++list.back().arcs;
  }
  for (const auto& [key, list] : batches) {
    const auto& [of_last_row, minus_class, side] = key;
    const double fade = 1 + fading * minus_class;
    Paint paint = {.stroke = palette::colour_of(side)};
    paint.width = of_last_row ? bold : std::max(0.5, 1.2 * scale * fade);
    paint.opacity = of_last_row ? 1 : 0.6 * fade * (0.3 + 0.7 * crowd);
    for (const Batch& batch : list) svg.path(batch.path, paint);
  }
}

// One stub a token, or bands where single tokens cannot be told apart.
void draw_own_inputs(Svg& svg, const Layout& layout, const Rows& rows) {
  PathData stubs;
  PathData bands;
  const double y = layout.line_y + layout.radius;
  const double length = kStub - 10;
  for (std::int64_t i = 1; i <= layout.n; ++i) {
    if (!reads_own_input(rows.a, i)) continue;
    if (!layout.crowded()) {
      stubs.move(layout.x(i), y + length).vertical(y);
      continue;
    }
    const std::int64_t first = i;
    while (i < layout.n && reads_own_input(rows.a, i + 1)) ++i;
    bands.cell(layout.x(first) - layout.step / 2, y + length / 2,
               static_cast<double>(i - first + 1) * layout.step, length / 2);
  }
  const double width = std::clamp(0.16 * layout.step, 1.0, 3.0);
  svg.path(stubs, {.stroke = palette::kSideA, .width = width});
  svg.path(bands, {.fill = palette::kSideA});
}

void draw_tokens(Svg& svg, const Layout& layout) {
  const bool numbered = layout.radius >= 8;
  if (layout.crowded()) {
    svg.line(layout.x(1), layout.line_y, layout.x(layout.n), layout.line_y,
             {.stroke = palette::kMuted, .width = 2 * layout.radius});
  }
  for (std::int64_t i = 1; i <= layout.n; ++i) {
    const bool last = i == layout.n;
    if (layout.crowded() && !last) continue;
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

std::string facts_of(const Rows& rows, const SelectedArcs& selected) {
  const std::int64_t n = rows.n();
  const std::string edges = grouped(count_edges(rows));
  if (selected.selection == ArcSelection::kAll) {
    return fmt::format(
        "n = {0}; {1} edges between tokens, all pointing right; bold: what row {0} reads", n,
        edges);
  }
  const bool two_levels = selected.selection == ArcSelection::kTwoLevels;
  return fmt::format("n = {0}; of {1} edges those of row {0}{2}{3}", n, edges,
                     two_levels ? " (bold) and of the rows it reads" : "",
                     selected.thinned ? "; one arc for several neighbours" : "");
}

}  // namespace

std::string dependency_svg(std::string_view name, const Rows& rows) {
  assert_that(rows.n() >= 1, "a dependency graph has at least one token");
  const SelectedArcs selected = readable_arcs(rows, kMostGraphTokens, kMostGraphEdges, kPlaces);
  const std::vector<Arc>& arcs = selected.arcs;
  const Layout layout = layout_of(rows, arcs);
  const double legend_y = layout.line_y + layout.radius + layout.below() + 44;
  Svg svg(kWidth, legend_y + 18, fmt::format("dependency graph of {}, n = {}", name, rows.n()));
  draw_title(svg, kMargin, name, facts_of(rows, selected));
  draw_arcs(svg, layout, arcs);
  if (layout.stubs) draw_own_inputs(svg, layout, rows);
  draw_tokens(svg, layout);

  std::vector<LegendEntry> legend;
  const bool outputs = layout.farthest[1] > 0;
  const bool inputs = layout.farthest[0] > 0;
  if (outputs) legend.push_back({palette::kSideB, "above: row i reads output y of j"});
  if (inputs) legend.push_back({palette::kSideA, "below: row i reads input x of j"});
  if (layout.stubs && !inputs) {
    legend.push_back({palette::kSideA, "stub: row i reads its own input x"});
  }
  draw_legend(svg, kMargin, legend_y, "", legend);
  return std::move(svg).finish();
}

}  // namespace heddle
