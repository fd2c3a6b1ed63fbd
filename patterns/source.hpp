// SPDX-License-Identifier: Apache-2.0
// A piece of text the user wrote, and half-open byte ranges in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace heddle {

// Bytes [begin, end) of a Source.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// 1-based line and column; columns count bytes, a tab is one.
struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Source {
  std::string name;  // as shown to the user: a path, or "<built-in>/log_cached.heddle"
  std::string text;

  Place place_of(std::size_t offset) const;
  // The whole line that holds `offset`, without its line end.
  std::string_view line_at(std::size_t offset) const;
};

}  // namespace heddle
