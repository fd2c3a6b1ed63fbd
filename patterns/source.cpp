// SPDX-License-Identifier: Apache-2.0
#include "patterns/source.hpp"

#include <algorithm>

namespace heddle {

Place Source::place_of(std::size_t offset) const {
  offset = std::min(offset, text.size());
  const std::size_t line_start = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  const std::size_t first = line_start == std::string::npos ? 0 : line_start + 1;
  const auto lines_before = std::count(text.begin(), text.begin() + static_cast<long>(first), '\n');
  return {static_cast<std::size_t>(lines_before) + 1, offset - first + 1};
}

std::string_view Source::line_at(std::size_t offset) const {
  offset = std::min(offset, text.size());
  const std::size_t before = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  const std::size_t first = before == std::string::npos ? 0 : before + 1;
  std::size_t last = text.find('\n', offset);
  if (last == std::string::npos) last = text.size();
  if (last > first && text[last - 1] == '\r') --last;
  return std::string_view(text).substr(first, last - first);
}

}  // namespace heddle
