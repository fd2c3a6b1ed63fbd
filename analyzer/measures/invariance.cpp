// SPDX-License-Identifier: Apache-2.0
// Known for tables of translates. Else the last row holds every offset below n, so it is the only
// candidate.
#include "analyzer/measures/invariance.hpp"

#include <algorithm>

namespace heddle {

std::optional<IntervalList> invariant_offsets(const RowTable& table) {
  const std::int64_t n = table.rows();
  IntervalList offsets;
  if (n == 0) return offsets;
  if (const IntervalList* known = table.distances()) {
    for (const Interval& distance : *known) {
      if (distance.low < n) offsets.push_back({distance.low, std::min(distance.high, n - 1)});
    }
    return offsets;
  }
  const auto last = table.row(n);
  for (auto interval = last.rbegin(); interval != last.rend(); ++interval) {
    offsets.push_back({n - interval->high, n - interval->low});
  }
  for (std::int64_t i = n - 1; i >= 1; --i) {
    const auto row = table.row(i);
    std::size_t left = row.size();
    for (const Interval& offset : offsets) {
      if (offset.low >= i) break;
      if (left == 0) return std::nullopt;
      const Interval expected{std::max<std::int64_t>(1, i - offset.high), i - offset.low};
      if (row[--left] != expected) return std::nullopt;
    }
    if (left != 0) return std::nullopt;
  }
  return offsets;
}

}  // namespace heddle
