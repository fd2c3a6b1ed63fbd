// SPDX-License-Identifier: Apache-2.0
#include "patterns/intervals.hpp"

#include <algorithm>

namespace heddle {

IntervalList normalized(IntervalList intervals) {
  std::erase_if(intervals, [](const Interval& x) { return x.low > x.high; });
  const auto by_low = [](const Interval& x, const Interval& y) { return x.low < y.low; };
  if (!std::is_sorted(intervals.begin(), intervals.end(), by_low)) {
    std::sort(intervals.begin(), intervals.end(), by_low);
  }
  IntervalList merged;
  merged.reserve(intervals.size());
  for (const Interval& next : intervals) {
    // Not high + 1, which the last integer does not have.
    if (!merged.empty() && (next.low <= merged.back().high || next.low - 1 == merged.back().high)) {
      merged.back().high = std::max(merged.back().high, next.high);
    } else {
      merged.push_back(next);
    }
  }
  return merged;
}

IntervalList union_of(const IntervalList& a, const IntervalList& b) {
  IntervalList both;
  both.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both),
             [](const Interval& x, const Interval& y) { return x.low < y.low; });
  return normalized(std::move(both));
}

IntervalList intersection_of(const IntervalList& a, const IntervalList& b) {
  IntervalList common;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    const std::int64_t low = std::max(x->low, y->low);
    const std::int64_t high = std::min(x->high, y->high);
    if (low <= high) common.push_back({low, high});
    (x->high < y->high ? x : y)++;
  }
  return common;
}

IntervalList difference_of(const IntervalList& a, const IntervalList& b) {
  IntervalList rest;
  auto y = b.begin();
  for (Interval x : a) {
    while (y != b.end() && y->high < x.low) ++y;
    bool cut_off = false;
    for (auto cut = y; cut != b.end() && cut->low <= x.high && !cut_off; ++cut) {
      if (x.low < cut->low) rest.push_back({x.low, cut->low - 1});
      cut_off = cut->high >= x.high;
      if (!cut_off) x.low = cut->high + 1;
    }
    if (!cut_off) rest.push_back(x);
  }
  return rest;
}

std::int64_t count_of(const IntervalList& intervals) {
  std::int64_t count = 0;
  for (const Interval& x : intervals) count += x.high - x.low + 1;
  return count;
}

bool contains(const IntervalList& intervals, std::int64_t position) {
  const auto after = std::upper_bound(intervals.begin(), intervals.end(), position,
                                      [](std::int64_t p, const Interval& x) { return p < x.low; });
  return after != intervals.begin() && std::prev(after)->high >= position;
}

}  // namespace heddle
