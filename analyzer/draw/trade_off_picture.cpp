// SPDX-License-Identifier: Apache-2.0
// Patterns of one time and one cache stand side by side as a row of dots; labels take the first
// free place beside their dots.
#include "analyzer/draw/trade_off_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "analyzer/draw/axis.hpp"
#include "analyzer/draw/log_axis.hpp"
#include "patterns/result.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kHeight = 560;
constexpr Box kPlot = {70, 104, 700, 390};
constexpr double kDot = 6;
constexpr double kPitch = 19;  // between dots that share a place
constexpr double kTextSize = 12;
constexpr double kLineHeight = 14;

struct Spot {
  double x = 0;
  double y = 0;
  std::vector<const TradeOff*> patterns;
};

LogAxis axis_over(double low, double high, double from, double to) {
  if (high < 2 * low) high = 2 * low;
  const double room = std::pow(high / low, 0.07);
  return {low / room, high * room, from, to};
}

bool overlap(const Box& a, const Box& b) {
  return a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom();
}

Box dots_of(const Spot& spot) {
  const double half = kPitch * static_cast<double>(spot.patterns.size()) / 2;
  return {spot.x - half, spot.y - 10, 2 * half, 20};
}

// The label's box, tried in turn on the right, the left, below and above, then ever farther below.
Box free_box(const Spot& spot, double width, double height, const std::vector<Box>& taken) {
  const Box dots = dots_of(spot);
  std::vector<Box> tries = {
      {dots.right() + 3, spot.y - height / 2, width, height},
      {dots.x - 3 - width, spot.y - height / 2, width, height},
      {spot.x - width / 2, dots.bottom(), width, height},
      {spot.x - width / 2, dots.y - height, width, height},
  };
  for (int step = 1; step < 12; ++step) {
    const double shift = kLineHeight * step;
    tries.push_back({dots.right() + 3, spot.y - height / 2 + shift, width, height});
    tries.push_back({dots.x - 3 - width, spot.y - height / 2 + shift, width, height});
    tries.push_back({dots.right() + 3, spot.y - height / 2 - shift, width, height});
    tries.push_back({dots.x - 3 - width, spot.y - height / 2 - shift, width, height});
  }
  for (const Box& box : tries) {
    const bool inside = box.x >= kPlot.x && box.right() <= kWidth - 4 && box.y >= kPlot.y - 8 &&
                        box.bottom() <= kPlot.bottom();
    if (inside && std::none_of(taken.begin(), taken.end(),
                               [&](const Box& other) { return overlap(box, other); })) {
      return box;
    }
  }
  return tries.front();
}

struct ColourScale {
  double most = 1;  // congestion of the darkest colour
  std::string of(double congestion) const {
    return palette::near_to_far(most > 1 ? std::log(congestion) / std::log(most) : 0);
  }
};

void draw_axes(Svg& svg, const LogAxis& x, const LogAxis& y) {
  const auto base_of = [](const LogAxis& axis) { return axis.high / axis.low > 300 ? 10.0 : 2.0; };
  for (const double tick : power_ticks(x.low, x.high, base_of(x), 10)) {
    svg.line(x.at(tick), kPlot.y, x.at(tick), kPlot.bottom(), {.stroke = palette::kGrid});
    svg.text(x.at(tick), kPlot.bottom() + 17, svg_number(tick),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kMiddle});
  }
  for (const double tick : power_ticks(y.low, y.high, base_of(y), 10)) {
    svg.line(kPlot.x, y.at(tick), kPlot.right(), y.at(tick), {.stroke = palette::kGrid});
    svg.text(kPlot.x - 7, y.at(tick) + 4, svg_number(tick),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kEnd});
  }
  svg.line(kPlot.x, kPlot.bottom(), kPlot.right(), kPlot.bottom(), {.stroke = palette::kRule});
  svg.line(kPlot.x, kPlot.y, kPlot.x, kPlot.bottom(), {.stroke = palette::kRule});
  svg.text(kPlot.x + kPlot.width / 2, kPlot.bottom() + 38, "time: most reads of a row",
           {.size = kTextSize, .anchor = Anchor::kMiddle});
  svg.text(22, kPlot.y + kPlot.height / 2, "cache: most tokens kept",
           {.size = kTextSize, .anchor = Anchor::kMiddle, .turn = -90});
}

void draw_dots(Svg& svg, const Spot& spot, const ColourScale& colours) {
  const double first = spot.x - kPitch * static_cast<double>(spot.patterns.size() - 1) / 2;
  for (std::size_t k = 0; k < spot.patterns.size(); ++k) {
    const TradeOff& pattern = *spot.patterns[k];
    const double x = first + kPitch * static_cast<double>(k);
    if (pattern.on_front) {
      svg.circle(x, spot.y, kDot + 2.5, {.stroke = palette::kInk, .width = 1.4});
    }
    if (pattern.congestion) {
      const std::string colour = colours.of(*pattern.congestion);
      svg.circle(x, spot.y, kDot, {.fill = colour, .stroke = palette::kRule, .width = 0.5});
    } else {
      svg.circle(x, spot.y, kDot - 0.7,
                 {.fill = palette::kPaper, .stroke = palette::kMuted, .width = 1.4});
    }
  }
}

void draw_label(Svg& svg, const Spot& spot, const Box& box) {
  const Box dots = dots_of(spot);
  const bool beside = std::abs(box.y + box.height / 2 - spot.y) < 1;
  const bool left = box.right() <= dots.x;
  const bool right = box.x >= dots.right();
  if (!beside && (left || right)) {
    svg.line(left ? dots.x : dots.right(), spot.y, left ? box.right() - 2 : box.x + 2,
             box.y + box.height / 2, {.stroke = palette::kRule, .width = 0.8});
  }
  const Anchor anchor = left ? Anchor::kEnd : right ? Anchor::kStart : Anchor::kMiddle;
  const double x = left ? box.right() : right ? box.x : box.x + box.width / 2;
  for (std::size_t k = 0; k < spot.patterns.size(); ++k) {
    const TradeOff& pattern = *spot.patterns[k];
    svg.text(x, box.y + kLineHeight * (static_cast<double>(k) + 1) - 3, pattern.name,
             {.size = kTextSize, .anchor = anchor, .bold = pattern.on_front, .halo = true});
  }
}

void draw_colour_legend(Svg& svg, const ColourScale& colours) {
  std::vector<double> steps = {1};
  while (steps.back() * 4 < colours.most) steps.push_back(steps.back() * 4);
  if (colours.most > 1) steps.push_back(colours.most);
  std::vector<std::string> fills;
  for (const double step : steps) fills.push_back(colours.of(step));
  std::vector<LegendEntry> entries;
  for (std::size_t k = 0; k < steps.size(); ++k)
    entries.push_back({fills[k], svg_number(steps[k])});
  double x = draw_legend(svg, kPlot.x, 76, "congestion", entries) + 8;
  const auto note = [&](const Paint& paint, double radius, const std::string& text) {
    svg.circle(x + 6, 72, radius, paint);
    svg.text(x + 18, 76, text, {.size = 11, .fill = palette::kMuted});
    x += 18 + text_width(text, 11) + 14;
  };
  note({.fill = palette::kPaper, .stroke = palette::kMuted, .width = 1.4}, kDot - 0.7,
       "infinite or unknown");
  note({.stroke = palette::kInk, .width = 1.4}, kDot + 1,
       "no other is as good in time, cache and congestion");
}

}  // namespace

std::string trade_off_svg(std::string_view title, std::string_view facts,
                          const std::vector<TradeOff>& patterns) {
  assert_that(!patterns.empty(), "a trade-off picture shows patterns");
  ColourScale colours;
  std::map<std::pair<double, double>, std::vector<const TradeOff*>> together;
  for (const TradeOff& pattern : patterns) {
    assert_that(pattern.time > 0 && pattern.cache >= 0, "logarithmic axes show positive numbers");
    if (pattern.congestion) colours.most = std::max(colours.most, *pattern.congestion);
    together[{pattern.time, std::max(pattern.cache, 1.0)}].push_back(&pattern);
  }
  double most_time = 0;
  double least_cache = INFINITY;
  double most_cache = 0;
  for (const auto& [costs, unused] : together) {
    most_time = std::max(most_time, costs.first);
    least_cache = std::min(least_cache, costs.second);
    most_cache = std::max(most_cache, costs.second);
  }
  const LogAxis x = axis_over(together.begin()->first.first, most_time, kPlot.x, kPlot.right());
  const LogAxis y = axis_over(least_cache, most_cache, kPlot.bottom(), kPlot.y);

  Svg svg(kWidth, kHeight, fmt::format("time against cache: {}", title));
  draw_title(svg, kPlot.x, title, facts);
  draw_colour_legend(svg, colours);
  draw_axes(svg, x, y);
  std::vector<Spot> spots;
  std::vector<Box> taken;
  for (const auto& [costs, members] : together) {
    spots.push_back({x.at(costs.first), y.at(costs.second), members});
    taken.push_back(dots_of(spots.back()));
  }
  for (const Spot& spot : spots) draw_dots(svg, spot, colours);
  for (const Spot& spot : spots) {
    double width = 0;
    for (const TradeOff* pattern : spot.patterns) {
      width = std::max(width, text_width(pattern->name, kTextSize));
    }
    const Box box =
        free_box(spot, width + 4, kLineHeight * static_cast<double>(spot.patterns.size()), taken);
    taken.push_back(box);
    draw_label(svg, spot, box);
  }
  return std::move(svg).finish();
}

}  // namespace heddle
