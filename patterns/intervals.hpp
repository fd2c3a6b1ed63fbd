// SPDX-License-Identifier: Apache-2.0
// Sets of positions as sorted lists of disjoint, non-adjacent closed intervals: a window or a dense
// row is one interval, scattered offsets are single points.
#pragma once

#include <cstdint>
#include <vector>

namespace heddle {

struct Interval {
  std::int64_t low = 0;
  std::int64_t high = 0;  // inclusive
  friend bool operator==(const Interval&, const Interval&) = default;
};
using IntervalList = std::vector<Interval>;

// Sorts and merges intervals given in any order; empty ones (low > high) are dropped.
IntervalList normalized(IntervalList intervals);
IntervalList union_of(const IntervalList& a, const IntervalList& b);
IntervalList intersection_of(const IntervalList& a, const IntervalList& b);
IntervalList difference_of(const IntervalList& a, const IntervalList& b);
std::int64_t count_of(const IntervalList& intervals);
bool contains(const IntervalList& intervals, std::int64_t position);

}  // namespace heddle
