// SPDX-License-Identifier: Apache-2.0
// A small writer of SVG 1.1: presentation attributes only, no scripts, styles, links or ids, so
// that several pictures can stand in one HTML page without disturbing each other. Numbers have at
// most two decimals and the same calls always give the same bytes.
#pragma once

#include <string>
#include <string_view>

#include "analyzer/draw/palette.hpp"

namespace heddle {

struct Paint {
  std::string_view fill = "none";
  std::string_view stroke = "none";
  double width = 1;
  double opacity = 1;
  bool dashed = false;
};

enum class Anchor { kStart, kMiddle, kEnd };

struct TextStyle {
  double size = 12;
  std::string_view fill = palette::kInk;
  Anchor anchor = Anchor::kStart;
  bool bold = false;
  bool italic = false;
  double turn = 0;    // degrees, clockwise, about the anchor
  bool halo = false;  // a rim of paper around the glyphs, for text over lines
};

// At most two decimals, no trailing zeros, never "-0".
std::string svg_number(double value);
// An estimate that errs on the wide side for common Latin fonts.
double text_width(std::string_view text, double size);

// The `d` of a path, absolute coordinates except for cells.
class PathData {
 public:
  PathData& move(double x, double y);
  PathData& line(double x, double y);
  PathData& horizontal(double x);
  PathData& vertical(double y);
  PathData& curve(double x1, double y1, double x2, double y2, double x, double y);
  PathData& close();
  // An axis-parallel closed rectangle.
  PathData& cell(double x, double y, double width, double height);
  bool empty() const { return data_.empty(); }
  const std::string& str() const { return data_; }

 private:
  std::string data_;
};

class Svg {
 public:
  // `label` is read out in place of the picture. Starts with a paper-white background.
  Svg(double width, double height, std::string_view label);

  void rectangle(double x, double y, double width, double height, const Paint& paint,
                 double radius = 0);
  void line(double x1, double y1, double x2, double y2, const Paint& paint);
  void circle(double x, double y, double radius, const Paint& paint);
  void path(const PathData& data, const Paint& paint);
  // Strokes one unit wide, for use between begin_cells and end_group.
  void strokes(std::string_view data, std::string_view colour);
  void text(double x, double y, std::string_view text, const TextStyle& style);

  // What follows is in units of its own: x' = x + scale_x * u, without blurred cell borders.
  void begin_cells(double x, double y, double scale_x, double scale_y);
  void end_group();

  // Closes the document; nothing may be added afterwards.
  std::string finish() &&;

 private:
  std::string out_;
  int open_groups_ = 0;
};

}  // namespace heddle
