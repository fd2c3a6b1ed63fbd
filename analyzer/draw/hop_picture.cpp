// SPDX-License-Identifier: Apache-2.0
// Counts become colour classes: one each while they are few, doubling ranges when they are many.
#include "analyzer/draw/hop_picture.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/draw/cells.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kTop = 66;
constexpr double kSide = 560;
constexpr std::int64_t kMostCells = 512;
constexpr std::int64_t kMostWithGaps = 64;
constexpr int kMostClasses = 12;
constexpr int kUnreachable = -1;

struct Classes {
  std::vector<int> high;  // class k holds counts in (high[k-1], high[k]]
  int of(int hops) const {
    return static_cast<int>(std::lower_bound(high.begin(), high.end(), hops) - high.begin());
  }
  std::string text(std::size_t k) const {
    const int low = k == 0 ? 1 : high[k - 1] + 1;
    return low == high[k] ? std::to_string(low) : fmt::format("{} to {}", low, high[k]);
  }
};

Classes classes_for(int most) {
  Classes classes;
  if (most <= kMostClasses) {
    for (int k = 1; k <= most; ++k) classes.high.push_back(k);
    return classes;
  }
  for (int k = 1; k < most; k *= 2) classes.high.push_back(k);
  classes.high.push_back(most);
  return classes;
}

struct HopGrid {
  Grouping grouping;
  std::vector<int> worst;  // of each cell; 0 where no pair lies
  int most = 0;
  std::int64_t reachable = 0;
  std::int64_t unreachable = 0;
  std::int64_t total = 0;

  int& at(std::int64_t row, std::int64_t column) {
    return worst[static_cast<std::size_t>(row * grouping.cells() + column)];
  }
};

HopGrid collect(std::int64_t n, const std::function<int(std::int64_t, std::int64_t)>& hops) {
  HopGrid grid;
  grid.grouping = group_tokens(n, kMostCells);
  grid.worst.assign(static_cast<std::size_t>(grid.grouping.cells() * grid.grouping.cells()), 0);
  for (std::int64_t i = 2; i <= n; ++i) {
    const std::int64_t row = grid.grouping.cell_of(i);
    for (std::int64_t j = 1; j < i; ++j) {
      int& worst = grid.at(row, grid.grouping.cell_of(j));
      const int count = hops(i, j);
      if (count < 0) {
        ++grid.unreachable;
        worst = kUnreachable;
        continue;
      }
      ++grid.reachable;
      grid.total += count;
      grid.most = std::max(grid.most, count);
      if (worst != kUnreachable) worst = std::max(worst, count);
    }
  }
  return grid;
}

std::string facts_of(std::int64_t n, const HopGrid& grid) {
  std::string facts = fmt::format("n = {}; ", grouped(n));
  if (grid.reachable > 0) {
    facts += fmt::format("most {}, mean {:.2f} over reachable pairs", grid.most,
                         static_cast<double>(grid.total) / static_cast<double>(grid.reachable));
  } else {
    facts += "no pair is reachable";
  }
  if (grid.unreachable > 0 && grid.reachable > 0) {
    facts += fmt::format("; {} of pairs unreachable",
                         percent(static_cast<double>(grid.unreachable) /
                                 static_cast<double>(grid.unreachable + grid.reachable)));
  }
  if (grid.grouping.group > 1) {
    facts += fmt::format("; each cell: the worst of {0} by {0} pairs", grid.grouping.group);
  }
  return facts;
}

void draw_hop_legend(Svg& svg, double x, const Classes& classes,
                     const std::vector<std::string>& colours, bool unreachable) {
  double y = kTop + 12;
  svg.text(x, y, "hops from j to i", {.size = 12, .bold = true});
  y += 14;
  const auto entry = [&](std::string_view fill, const std::string& text) {
    svg.rectangle(x, y, 20, 16, {.fill = fill, .stroke = palette::kRule, .width = 0.5});
    svg.text(x + 28, y + 12.5, text, {.size = 12, .fill = palette::kMuted});
    y += 20;
  };
  for (std::size_t k = 0; k < classes.high.size(); ++k) entry(colours[k], classes.text(k));
  if (unreachable) {
    y += 6;
    entry(palette::kUnreachable, "no path");
  }
}

}  // namespace

Result<std::string> hops_svg(std::string_view name, std::int64_t n,
                             const std::function<int(std::int64_t, std::int64_t)>& hops) {
  if (n < 2) return Error{"a hop map needs at least two tokens"};
  if (n > kMostHopTokens) {
    return Error{fmt::format("a hop map is drawn up to n = {}, not at n = {}", kMostHopTokens, n)};
  }
  HopGrid grid = collect(n, hops);
  const Classes classes = classes_for(grid.most);
  std::vector<std::string> colours;
  for (std::size_t k = 0; k < classes.high.size(); ++k) {
    // Few classes use the middle of the ramp less: 1 hop is always light, the most always dark.
    const double share =
        classes.high.size() == 1
            ? 0.3
            : static_cast<double>(k) / static_cast<double>(classes.high.size() - 1);
    colours.push_back(palette::near_to_far(share));
  }
  std::vector<std::string_view> palette_of_levels(colours.begin(), colours.end());
  palette_of_levels.push_back(palette::kUnreachable);

  const Box box = {66, kTop, kSide, kSide};
  Svg svg(kWidth, box.bottom() + 50, fmt::format("hop map of {}, n = {}", name, n));
  draw_title(svg, box.x, name, facts_of(n, grid));
  const std::int64_t cells = grid.grouping.cells();
  const CellPainting painting = {box, cells, cells};
  paint_cells(svg, painting, palette_of_levels, [&](std::int64_t row, std::int64_t column) {
    const int worst = grid.at(row, column);
    if (worst == kUnreachable) return static_cast<int>(palette_of_levels.size());
    return worst == 0 ? 0 : classes.of(worst) + 1;
  });
  if (n <= kMostWithGaps) draw_cell_gaps(svg, painting);
  draw_token_axis_below(svg, box, n, "from token j");
  draw_token_axis_left(svg, box, n, "to token i", Upward::kNo);
  draw_hop_legend(svg, box.right() + 28, classes, colours, grid.unreachable > 0);
  return std::move(svg).finish();
}

}  // namespace heddle
