// SPDX-License-Identifier: Apache-2.0
// The two command lines.
#include "analyzer/draw/raster.hpp"

#include "analyzer/draw/filter_program.hpp"
#include "analyzer/draw/svg.hpp"

namespace heddle {

Result<std::string> png_of_svg(std::string_view svg, double scale) {
  return filter_through({.program = "rsvg-convert",
                         .arguments = {"--format=png", "--zoom=" + svg_number(scale)},
                         .install_hint = "librsvg2-bin"},
                        svg);
}

Result<std::string> render_dot(std::string_view dot, DotOutput output) {
  const bool png = output == DotOutput::kPng;
  return filter_through({.program = "neato",
                         .arguments = {"-n2", png ? "-Tpng" : "-Tsvg"},
                         .install_hint = "graphviz"},
                        dot);
}

}  // namespace heddle
