// SPDX-License-Identifier: Apache-2.0
// The dependency graph on a line of tokens: an arc above the line from j to i for each output that
// row i reads (B), an arc below for each earlier input (A), a stub below token i for its own input.
// The last row's reads stand out. As SVG of our own, and as DOT whose positions and splines are
// fixed, since layout programs hang on these graphs: `neato -n2` only renders it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "patterns/materialize.hpp"

namespace heddle {

// Up to these limits the SVG holds every edge; beyond, those of the last row and, if they are not
// too many, of the rows it reads, and it says so.
inline constexpr std::int64_t kMostGraphTokens = 256;
inline constexpr std::int64_t kMostGraphEdges = 12000;
// The DOT always holds every edge; it is refused beyond these limits.
inline constexpr std::int64_t kMostDotTokens = 4096;
inline constexpr std::int64_t kMostDotEdges = 200000;

std::string dependency_svg(std::string_view name, const Rows& rows);
Result<std::string> dependency_dot(std::string_view name, const Rows& rows);

}  // namespace heddle
