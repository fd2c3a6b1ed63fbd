// SPDX-License-Identifier: Apache-2.0
// The DOT text. Coordinates are points, y upwards; every edge carries its own spline.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzer/draw/arcs.hpp"
#include "analyzer/draw/dependency_picture.hpp"
#include "analyzer/draw/svg.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr double kStep = 36;
constexpr double kRadius = 11;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string edge_of(const Arc& arc) {
  const double up = arc.side == Side::kB ? 1 : -1;
  const double x0 = static_cast<double>(arc.from) * kStep;
  const double x1 = static_cast<double>(arc.to) * kStep;
  const double height = up * std::min(0.48 * (x1 - x0), 14 * std::sqrt(x1 - x0));
  const double y = up * kRadius;
  // The arrow head takes the last six points, straight down onto the token.
  const std::string spline =
      fmt::format("e,{0},{1} {2},{1} {2},{3} {0},{3} {0},{4}", svg_number(x1), svg_number(y),
                  svg_number(x0), svg_number(y + height), svg_number(y + up * 6));
  std::string line = fmt::format("  {} -> {} [pos=\"{}\", color=\"{}\"", arc.from, arc.to, spline,
                                 palette::colour_of(arc.side));
  if (arc.of_last_row) line += ", penwidth=2";
  return line + "];\n";
}

}  // namespace

Result<std::string> dependency_dot(std::string_view name, const Rows& rows) {
  if (rows.n() > kMostDotTokens || rows.a.total() + rows.b.total() > kMostDotEdges) {
    return Error{
        fmt::format("a graph is written as DOT up to n = {} and {} edges, and this one has "
                    "n = {} and {} edges; choose a smaller n",
                    kMostDotTokens, grouped(kMostDotEdges), rows.n(), grouped(count_edges(rows)))};
  }
  std::string out = fmt::format(
      "// neato -n2 -Tsvg: blue above, row i reads output j; orange below, row i reads input j;\n"
      "// a filled token reads its own input.\n"
      "digraph {} {{\n"
      "  graph [bgcolor=white];\n"
      "  node [shape=circle, fixedsize=true, width={}, fontsize={}, fontname=\"Helvetica\", "
      "style=filled, fillcolor=white];\n"
      "  edge [arrowsize=0.4];\n",
      quoted(name), svg_number(2 * kRadius / 72), rows.n() < 1000 ? 10 : 7);
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    out += fmt::format("  {} [pos=\"{},0!\"{}];\n", i, svg_number(static_cast<double>(i) * kStep),
                       reads_own_input(rows.a, i) ? ", fillcolor=\"#fcd2ae\"" : "");
  }
  for (const Arc& arc : all_arcs(rows)) out += edge_of(arc);
  return out + "}\n";
}

}  // namespace heddle
