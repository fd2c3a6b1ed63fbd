// SPDX-License-Identifier: Apache-2.0
// Logarithmic axes with ticks at powers of two or ten, and end labels pushed apart until no two
// overlap.
#include "analyzer/draw/growth_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analyzer/draw/axis.hpp"
#include "analyzer/draw/log_axis.hpp"
#include "patterns/result.hpp"

namespace heddle {
namespace {

constexpr double kWidth = 800;
constexpr double kLeft = 58;
constexpr double kTop = 96;
constexpr double kHeight = 300;
constexpr double kLabelRoom = 132;
constexpr double kLabelGap = 15;

struct EndLabel {
  double y = 0;       // where the series ends
  double placed = 0;  // where its label stands
  std::string text;
  std::string_view colour;
  double from_x = 0;
};

// Labels in order of their ends; each is moved down as far as the one above demands, then the
// whole stack is pushed back up from the lower border.
void spread(std::vector<EndLabel>& labels, double top, double bottom) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const EndLabel& a, const EndLabel& b) { return a.y < b.y; });
  double free_from = top;
  for (EndLabel& label : labels) {
    label.placed = std::max(label.y, free_from);
    free_from = label.placed + kLabelGap;
  }
  double free_to = bottom;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    label->placed = std::min(label->placed, free_to);
    free_to = label->placed - kLabelGap;
  }
}

using Colours = std::map<std::string, std::string_view>;

Colours colours_of(const std::vector<GrowthPanel>& panels) {
  Colours colours;
  std::size_t next = 0;
  for (const GrowthPanel& panel : panels) {
    for (const GrowthSeries& series : panel.series) {
      if (series.reference || colours.count(series.name) > 0) continue;
      colours[series.name] = palette::kSeries[next++ % palette::kSeries.size()];
    }
  }
  return colours;
}

std::pair<LogAxis, LogAxis> axes_of(const Box& box, const GrowthPanel& panel) {
  LogAxis x = {INFINITY, 0, box.x, box.right()};
  LogAxis y = {INFINITY, 0, box.bottom(), box.y};
  for (const GrowthSeries& series : panel.series) {
    for (const auto& [n, value] : series.points) {
      assert_that(n > 0 && value > 0, "logarithmic axes show positive numbers");
      x.low = std::min(x.low, n);
      x.high = std::max(x.high, n);
      y.low = std::min(y.low, value);
      y.high = std::max(y.high, value);
    }
  }
  assert_that(x.high > 0, "a growth panel has points");
  if (x.high <= x.low) x.high = 2 * x.low;
  // A flat series stands in the middle of its panel rather than on the border.
  if (y.high < 2 * y.low) {
    y.high *= 2;
    y.low /= 2;
  } else {
    y.high *= 1.25;
    y.low /= 1.25;
  }
  return {x, y};
}

void draw_series(Svg& svg, const GrowthSeries& series, const LogAxis& x, const LogAxis& y,
                 std::string_view colour) {
  PathData path;
  for (std::size_t k = 0; k < series.points.size(); ++k) {
    const auto& [n, value] = series.points[k];
    k == 0 ? path.move(x.at(n), y.at(value)) : path.line(x.at(n), y.at(value));
  }
  svg.path(path,
           {.stroke = colour, .width = series.reference ? 1.0 : 2.0, .dashed = series.reference});
  if (series.reference) return;
  for (const auto& [n, value] : series.points) {
    svg.circle(x.at(n), y.at(value), 2.6, {.fill = colour});
  }
}

void draw_panel(Svg& svg, const Box& box, const GrowthPanel& panel, const Colours& colours) {
  const auto [x, y] = axes_of(box, panel);
  svg.text(box.x, box.y - 14, panel.title, {.size = 13, .bold = true});
  for (const double tick : power_ticks(x.low, x.high, 2, 7)) {
    svg.line(x.at(tick), box.y, x.at(tick), box.bottom(), {.stroke = palette::kGrid});
    svg.text(x.at(tick), box.bottom() + 17, svg_number(tick),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kMiddle});
  }
  const double base = y.high / y.low > 300 ? 10 : 2;
  for (const double tick : power_ticks(y.low, y.high, base, 9)) {
    svg.line(box.x, y.at(tick), box.right(), y.at(tick), {.stroke = palette::kGrid});
    svg.text(box.x - 7, y.at(tick) + 4, svg_number(tick),
             {.size = 11, .fill = palette::kMuted, .anchor = Anchor::kEnd});
  }
  svg.line(box.x, box.bottom(), box.right(), box.bottom(), {.stroke = palette::kRule});
  svg.line(box.x, box.y, box.x, box.bottom(), {.stroke = palette::kRule});
  svg.text(box.x + box.width / 2, box.bottom() + 36, "n", {.anchor = Anchor::kMiddle});

  std::vector<EndLabel> labels;
  for (const bool reference : {true, false}) {  // guides below the data
    for (const GrowthSeries& series : panel.series) {
      if (series.reference != reference || series.points.empty()) continue;
      const std::string_view colour = reference ? palette::kRule : colours.at(series.name);
      draw_series(svg, series, x, y, colour);
      const auto& [n, value] = series.points.back();
      labels.push_back(
          {y.at(value), 0, series.name, reference ? palette::kMuted : colour, x.at(n)});
    }
  }
  spread(labels, box.y + 4, box.bottom() - 4);
  for (const EndLabel& label : labels) {
    if (std::abs(label.placed - label.y) > 3 || label.from_x < box.right() - 1) {
      svg.line(label.from_x + 4, label.y, box.right() + 12, label.placed,
               {.stroke = label.colour, .width = 0.8, .opacity = 0.6});
    }
    svg.text(box.right() + 15, label.placed + 4, label.text, {.size = 12, .fill = label.colour});
  }
}

}  // namespace

std::string growth_svg(std::string_view title, std::string_view facts,
                       const std::vector<GrowthPanel>& panels) {
  assert_that(panels.size() == 1 || panels.size() == 2, "one or two panels stand side by side");
  const Colours colours = colours_of(panels);
  Svg svg(kWidth, kTop + kHeight + 52, fmt::format("growth with n: {}", title));
  draw_title(svg, kLeft, title, facts);
  const auto count = static_cast<double>(panels.size());
  const double pitch = (kWidth - 8) / count;
  for (std::size_t k = 0; k < panels.size(); ++k) {
    const double left = kLeft + static_cast<double>(k) * pitch;
    draw_panel(svg, {left, kTop, pitch - kLeft - kLabelRoom, kHeight}, panels[k], colours);
  }
  return std::move(svg).finish();
}

}  // namespace heddle
