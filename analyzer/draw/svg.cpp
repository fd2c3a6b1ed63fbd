// SPDX-License-Identifier: Apache-2.0
// Writes elements one after another; the only state is the text so far and the open groups.
#include "analyzer/draw/svg.hpp"

#include <fmt/format.h>

#include <cmath>

#include "patterns/result.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

std::string attribute(std::string_view name, double value) {
  return fmt::format(" {}=\"{}\"", name, svg_number(value));
}

std::string attributes_of(const Paint& paint) {
  std::string out = fmt::format(" fill=\"{}\"", paint.fill);
  if (paint.stroke != "none") {
    out += fmt::format(" stroke=\"{}\"", paint.stroke);
    if (paint.width != 1) out += attribute("stroke-width", paint.width);
    if (paint.dashed) out += " stroke-dasharray=\"4 3\"";
  }
  if (paint.opacity != 1) out += attribute("opacity", paint.opacity);
  return out;
}

void append_pair(std::string& out, double x, double y) {
  out += svg_number(x);
  out += ' ';
  out += svg_number(y);
}

}  // namespace

std::string svg_number(double value) {
  assert_that(std::isfinite(value), "coordinates are finite");
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

double text_width(std::string_view text, double size) {
  double em = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0U) == 0x80U) continue;  // counted with its lead byte
    const std::string_view narrow = "ijl.,:;'|()[]! ftr";
    const std::string_view wide = "mwMW@%";
    em += narrow.find(c) != std::string_view::npos ? 0.36
          : wide.find(c) != std::string_view::npos ? 0.92
                                                   : 0.6;
  }
  return em * size;
}

PathData& PathData::move(double x, double y) {
  data_ += 'M';
  append_pair(data_, x, y);
  return *this;
}
PathData& PathData::line(double x, double y) {
  data_ += 'L';
  append_pair(data_, x, y);
  return *this;
}
PathData& PathData::horizontal(double x) {
  data_ += 'H' + svg_number(x);
  return *this;
}
PathData& PathData::vertical(double y) {
  data_ += 'V' + svg_number(y);
  return *this;
}
PathData& PathData::curve(double x1, double y1, double x2, double y2, double x, double y) {
  data_ += 'C';
  append_pair(data_, x1, y1);
  data_ += ' ';
  append_pair(data_, x2, y2);
  data_ += ' ';
  append_pair(data_, x, y);
  return *this;
}
PathData& PathData::close() {
  data_ += 'z';
  return *this;
}
PathData& PathData::cell(double x, double y, double width, double height) {
  move(x, y);
  data_ += 'h' + svg_number(width) + 'v' + svg_number(height) + 'h' + svg_number(-width) + 'z';
  return *this;
}

Svg::Svg(double width, double height, std::string_view label) {
  out_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" aria-label=\"{2}\" font-family=\"system-ui, -apple-system, "
      "'Segoe UI', Roboto, 'DejaVu Sans', Helvetica, Arial, sans-serif\">\n",
      svg_number(width), svg_number(height), escape_xml(label));
  rectangle(0, 0, width, height, {.fill = palette::kPaper});
}

void Svg::rectangle(double x, double y, double width, double height, const Paint& paint,
                    double radius) {
  out_ += "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) +
          attribute("height", height);
  if (radius > 0) out_ += attribute("rx", radius);
  out_ += attributes_of(paint) + "/>\n";
}

void Svg::line(double x1, double y1, double x2, double y2, const Paint& paint) {
  out_ += "<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) +
          attribute("y2", y2) + attributes_of(paint) + "/>\n";
}

void Svg::circle(double x, double y, double radius, const Paint& paint) {
  out_ += "<circle" + attribute("cx", x) + attribute("cy", y) + attribute("r", radius) +
          attributes_of(paint) + "/>\n";
}

void Svg::path(const PathData& data, const Paint& paint) {
  if (data.empty()) return;
  out_ += "<path" + attributes_of(paint) + " d=\"" + data.str() + "\"/>\n";
}

void Svg::strokes(std::string_view data, std::string_view colour) {
  if (data.empty()) return;
  out_ += fmt::format("<path fill=\"none\" stroke=\"{}\" d=\"{}\"/>\n", colour, data);
}

void Svg::text(double x, double y, std::string_view text, const TextStyle& style) {
  out_ += "<text" + attribute("x", x) + attribute("y", y) + attribute("font-size", style.size) +
          fmt::format(" fill=\"{}\"", style.fill);
  if (style.anchor == Anchor::kMiddle) out_ += " text-anchor=\"middle\"";
  if (style.anchor == Anchor::kEnd) out_ += " text-anchor=\"end\"";
  if (style.bold) out_ += " font-weight=\"600\"";
  if (style.italic) out_ += " font-style=\"italic\"";
  if (style.halo) {
    out_ += fmt::format(
        " stroke=\"{}\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\"",
        palette::kPaper);
  }
  if (style.turn != 0) {
    out_ += fmt::format(" transform=\"rotate({} {} {})\"", svg_number(style.turn), svg_number(x),
                        svg_number(y));
  }
  out_ += '>' + escape_xml(text) + "</text>\n";
}

void Svg::begin_cells(double x, double y, double scale_x, double scale_y) {
  // Scales keep six decimals: two would shift the last of a thousand cells by pixels.
  out_ += fmt::format(
      "<g transform=\"translate({} {}) scale({:.6g} {:.6g})\" shape-rendering=\"crispEdges\">\n",
      svg_number(x), svg_number(y), scale_x, scale_y);
  ++open_groups_;
}

void Svg::end_group() {
  assert_that(open_groups_ > 0, "a group is open");
  out_ += "</g>\n";
  --open_groups_;
}

std::string Svg::finish() && {
  assert_that(open_groups_ == 0, "every group was closed");
  out_ += "</svg>\n";
  return std::move(out_);
}

}  // namespace heddle
