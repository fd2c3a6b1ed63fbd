// SPDX-License-Identifier: Apache-2.0
// PNG from our SVG, and SVG or PNG from our DOT, by the programs that do this well, if installed.
#pragma once

#include <string>
#include <string_view>

#include "patterns/result.hpp"

namespace heddle {

// By rsvg-convert; `scale` 2 doubles the picture's 800 pixels.
Result<std::string> png_of_svg(std::string_view svg, double scale = 2);
// By neato -n2, which only renders: positions and splines stay as written.
enum class DotOutput { kSvg, kPng };
Result<std::string> render_dot(std::string_view dot, DotOutput output);

}  // namespace heddle
