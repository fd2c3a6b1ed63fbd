// SPDX-License-Identifier: Apache-2.0
// The pictures of one pattern that draw makes one by one and run makes all.
#pragma once

#include <string>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

struct Picture {
  std::string name;  // "graph", also the file's name
  std::string svg;
  std::string caption;
};

// graph, matrix, cache, hops, congestion (copying the first half of the rows to the second),
// growth or cut (after the first half); fails where the picture would be unreadable or too large.
Result<std::string> picture_svg(const Pattern& pattern, const Rows& rows, const std::string& kind);
// What crosses the cut after token `cut`, 0 <= cut <= n.
Result<std::string> cut_picture(const Pattern& pattern, const Rows& rows, std::int64_t cut);
// Every kind at a size at which it is legible, and the growth of time and cache.
std::vector<Picture> pictures_of(const Pattern& pattern);

}  // namespace heddle
