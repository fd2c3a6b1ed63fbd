// SPDX-License-Identifier: Apache-2.0
// Ticks are chosen from 1, 2, 5 times powers of ten, and for n a power of two from its quarters.
#include "analyzer/draw/axis.hpp"

#include <fmt/format.h>

#include <cmath>

namespace heddle {
namespace {

constexpr double kTickSize = 11;
constexpr double kLabelSize = 12;
constexpr double kTickLength = 4;
const Paint kFrameLine = {.stroke = palette::kRule};

double round_step(double high, int most) {
  double step = 1;
  for (double decade = 1;; decade *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      step = factor * decade;
      if (high / step <= most) return step;
    }
  }
}

}  // namespace

std::vector<std::int64_t> token_ticks(std::int64_t n, int most) {
  const bool power_of_two = n >= 16 && (n & (n - 1)) == 0;
  const std::int64_t step =
      power_of_two ? n / 4
                   : static_cast<std::int64_t>(round_step(static_cast<double>(n), most - 1));
  std::vector<std::int64_t> ticks = {1};
  for (std::int64_t t = step; t <= n; t += step) {
    const bool crowds_first = 2 * (t - 1) < step && t != 1;
    const bool crowds_last = t != n && 2 * (n - t) < step;
    if (t > 1 && !crowds_first && !crowds_last) ticks.push_back(t);
  }
  if (ticks.back() != n) ticks.push_back(n);
  return ticks;
}

std::vector<double> value_ticks(double high, int most) {
  const double step = round_step(high, most);
  std::vector<double> ticks = {0};
  while (ticks.back() < high) ticks.push_back(static_cast<double>(ticks.size()) * step);
  return ticks;
}

void draw_token_axis_below(Svg& svg, const Box& box, std::int64_t n, std::string_view label) {
  const double y = box.bottom();
  svg.line(box.x, y, box.right(), y, kFrameLine);
  for (const std::int64_t t : token_ticks(n)) {
    const double x = box.x + box.width * (static_cast<double>(t) - 0.5) / static_cast<double>(n);
    svg.line(x, y, x, y + kTickLength, kFrameLine);
    svg.text(x, y + 17, std::to_string(t),
             {.size = kTickSize, .fill = palette::kMuted, .anchor = Anchor::kMiddle});
  }
  svg.text(box.x + box.width / 2, y + 34, label, {.size = kLabelSize, .anchor = Anchor::kMiddle});
}

void draw_token_axis_left(Svg& svg, const Box& box, std::int64_t n, std::string_view label,
                          Upward upward, Labels labels) {
  svg.line(box.x, box.y, box.x, box.bottom(), kFrameLine);
  double widest = 0;
  for (const std::int64_t t : token_ticks(n)) {
    const double along = box.height * (static_cast<double>(t) - 0.5) / static_cast<double>(n);
    const double y = upward == Upward::kYes ? box.bottom() - along : box.y + along;
    svg.line(box.x - kTickLength, y, box.x, y, kFrameLine);
    if (labels == Labels::kNo) continue;
    const std::string text = std::to_string(t);
    widest = std::max(widest, text_width(text, kTickSize));
    svg.text(box.x - 7, y + 4, text,
             {.size = kTickSize, .fill = palette::kMuted, .anchor = Anchor::kEnd});
  }
  if (labels == Labels::kNo) return;
  svg.text(box.x - widest - 14, box.y + box.height / 2, label,
           {.size = kLabelSize, .anchor = Anchor::kMiddle, .turn = -90});
}

void draw_title(Svg& svg, double x, std::string_view title, std::string_view facts) {
  svg.text(x, 28, title, {.size = 17, .bold = true});
  svg.text(x, 47, facts, {.size = 12.5, .fill = palette::kMuted});
}

double draw_legend(Svg& svg, double x, double baseline, std::string_view lead,
                   const std::vector<LegendEntry>& entries) {
  const TextStyle style = {.size = kTickSize, .fill = palette::kMuted};
  if (!lead.empty()) {
    svg.text(x, baseline, lead, style);
    x += text_width(lead, style.size) + 6;
  }
  for (const LegendEntry& entry : entries) {
    svg.rectangle(x, baseline - 10, 12, 12,
                  {.fill = entry.fill, .stroke = palette::kRule, .width = 0.5});
    svg.text(x + 17, baseline, entry.text, style);
    x += 17 + text_width(entry.text, style.size) + 10;
  }
  return x;
}

std::string percent(double share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return fmt::format("{} %", svg_number(std::round(share * 1000) / 10));
}

}  // namespace heddle
