// SPDX-License-Identifier: Apache-2.0
// Two panels over the same tokens: loads upwards, weights downwards as a mirror of them.
#include "analyzer/draw/congestion_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "analyzer/draw/cells.hpp"
#include "patterns/result.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr Box kLoads = {66, 92, 706, 230};
constexpr Box kWeights = {66, 340, 706, 70};
constexpr std::int64_t kMostBars = 700;

// The most of each group of tokens.
std::vector<double> highest(std::span<const std::int64_t> values, const Grouping& grouping) {
  std::vector<double> result;
  for (std::int64_t cell = 0; cell < grouping.cells(); ++cell) {
    const auto first = values.begin() + (grouping.first(cell) - 1);
    const auto last = values.begin() + grouping.last(cell);
    result.push_back(static_cast<double>(*std::max_element(first, last)));
  }
  return result;
}

struct Bars {
  std::vector<double> heights;
  double top = 1;
  const Box& box;
  bool downwards = false;
};

void draw_bars(Svg& svg, const Bars& bars, const Grouping& grouping,
               const std::function<std::string(double)>& colour_of) {
  const double pitch = bars.box.width / static_cast<double>(grouping.n);
  for (std::int64_t cell = 0; cell < grouping.cells(); ++cell) {
    const double height = bars.heights[static_cast<std::size_t>(cell)];
    if (height <= 0) continue;
    const double left = bars.box.x + pitch * static_cast<double>(grouping.first(cell) - 1);
    const double width = pitch * static_cast<double>(grouping.size(cell));
    const double gap = width > 5 ? 0.8 : 0;
    const double tall = bars.box.height * height / bars.top;
    svg.rectangle(left + gap / 2, bars.downwards ? bars.box.y : bars.box.bottom() - tall,
                  width - gap, tall, {.fill = colour_of(height)});
  }
}

void draw_level(Svg& svg, double y, std::string_view text, bool dashed) {
  svg.line(kLoads.x, y, kLoads.right(), y, {.stroke = palette::kInk, .width = 1, .dashed = dashed});
  svg.text(kLoads.right() - 4, y - 5, text,
           {.size = 11, .anchor = Anchor::kEnd, .bold = true, .halo = true});
}

}  // namespace

std::string congestion_svg(const CongestionPictureInput& input) {
  const auto n = static_cast<std::int64_t>(input.load.size());
  assert_that(n >= 2 && input.weights.size() == input.load.size(),
              "a congestion picture shows the two halves of a copy task");
  const Grouping grouping = group_tokens(n, kMostBars);
  const std::int64_t most_weight = *std::max_element(input.weights.begin(), input.weights.end());
  const std::vector<double> ticks =
      value_ticks(static_cast<double>(std::max<std::int64_t>(input.upper, 1)), 4);
  const double top = 1.12 * std::max(ticks.back(), static_cast<double>(input.upper));

  Svg svg(kWidth, kWeights.bottom() + 62, fmt::format("congestion of {}", input.name));
  std::string facts = fmt::format("copying {} tokens: ", grouped(n / 2));
  facts += input.lower == input.upper
               ? fmt::format("{} paths meet in the busiest output, and no routing does better",
                             grouped(input.upper))
               : fmt::format("{} paths meet in the busiest output; no routing goes below {}",
                             grouped(input.upper), grouped(input.lower));
  draw_title(svg, kLoads.x, input.name, facts);

  const auto y_of = [&](double value) { return kLoads.bottom() - kLoads.height * value / top; };
  for (const double tick : ticks) {
    svg.line(kLoads.x, y_of(tick), kLoads.right(), y_of(tick), {.stroke = palette::kGrid});
    svg.text(kLoads.x - 7, y_of(tick) + 4, svg_number(tick),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kEnd});
  }
  const double middle = kLoads.x + kLoads.width / 2;
  svg.line(middle, kLoads.y - 16, middle, kWeights.bottom(),
           {.stroke = palette::kRule, .dashed = true});
  svg.text(middle - 8, kLoads.y - 6, "sources",
           {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kEnd});
  svg.text(middle + 8, kLoads.y - 6, "targets", {.size = 11, .fill = palette::kMuted});

  const auto upper = static_cast<double>(input.upper);
  draw_bars(svg, {highest(input.load, grouping), top, kLoads}, grouping, [&](double load) {
    return palette::near_to_far(upper > 1 ? (load - 1) / (upper - 1) : 0);
  });
  draw_level(svg, y_of(upper), fmt::format("at most {}", grouped(input.upper)), false);
  if (input.lower < input.upper) {
    draw_level(svg, y_of(static_cast<double>(input.lower)),
               fmt::format("at least {}", grouped(input.lower)), true);
  }
  svg.line(kLoads.x, kLoads.y, kLoads.x, kLoads.bottom(), {.stroke = palette::kRule});
  svg.line(kLoads.x, kLoads.bottom(), kLoads.right(), kLoads.bottom(), {.stroke = palette::kRule});
  svg.text(kLoads.x - 48, kLoads.y + kLoads.height / 2, "paths through y",
           {.size = 12, .anchor = Anchor::kMiddle, .turn = -90});

  if (most_weight > 0) {
    draw_bars(svg,
              {highest(input.weights, grouping), static_cast<double>(most_weight), kWeights, true},
              grouping, [](double) { return std::string(palette::kSideA); });
    svg.text(kWeights.x - 48, kWeights.y + kWeights.height / 2, "weights",
             {.size = 12, .anchor = Anchor::kMiddle, .turn = -90});
    svg.text(kWeights.x, kWeights.bottom() + 40, "weights: what proves the lower bound",
             {.size = 11, .fill = palette::kMuted});
  }
  draw_token_axis_below(svg, kWeights, n, "output y");
  return std::move(svg).finish();
}

}  // namespace heddle
