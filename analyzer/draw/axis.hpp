// SPDX-License-Identifier: Apache-2.0
// Axes and frames: where ticks stand, and how token numbers and values become coordinates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/draw/svg.hpp"

namespace heddle {

struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

// 1, round numbers, n: at most `most` of them, never so close that labels would touch.
std::vector<std::int64_t> token_ticks(std::int64_t n, int most = 6);
// 0, round numbers, up to the first one that is at least `high`.
std::vector<double> value_ticks(double high, int most = 5);

// Token t occupies the t-th of n equal parts of an axis; its tick stands in the middle.
void draw_token_axis_below(Svg& svg, const Box& box, std::int64_t n, std::string_view label);
enum class Upward { kNo, kYes };  // whether token 1 stands at the bottom
enum class Labels { kNo, kYes };
void draw_token_axis_left(Svg& svg, const Box& box, std::int64_t n, std::string_view label,
                          Upward upward, Labels labels = Labels::kYes);

// The two lines on top of every picture: what it shows, and the facts about it.
void draw_title(Svg& svg, double x, std::string_view title, std::string_view facts);

struct LegendEntry {
  std::string_view fill;
  std::string text;
};
// Swatches with texts from left to right; returns the x after the last one.
double draw_legend(Svg& svg, double x, double baseline, std::string_view lead,
                   const std::vector<LegendEntry>& entries);

// "97.9 %"; "< 0.1 %" and "> 99.9 %" rather than a rounded 0 or 100.
std::string percent(double share);

}  // namespace heddle
