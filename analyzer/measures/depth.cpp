// SPDX-License-Identifier: Apache-2.0
// The order of tokens is a topological order, so one pass finds longest chains.
#include "analyzer/measures/depth.hpp"

#include <algorithm>

#include "analyzer/measures/invariance.hpp"
#include "analyzer/measures/range_extreme.hpp"

namespace heddle {
namespace {

// Where rows are translates, a chain that ends in y_i moves on to end in y_{i+1}, so chains never
// get shorter and the nearest read is a best one.
std::vector<std::int64_t> depth_of_translates(std::int64_t n, const IntervalList& inputs,
                                              const IntervalList& outputs) {
  std::int64_t nearest_input = n;  // of the earlier tokens
  for (const Interval& distance : inputs) {
    if (distance.high > 0)
      nearest_input = std::min(nearest_input, std::max<std::int64_t>(1, distance.low));
  }
  const std::int64_t nearest = outputs.empty() ? n : outputs.front().low;
  std::vector<std::int64_t> depth;
  depth.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 1; i <= n; ++i) {
    const std::int64_t through =
        nearest < i ? 1 + depth[static_cast<std::size_t>(i - nearest - 1)] : 0;
    depth.push_back(std::max<std::int64_t>(through, nearest_input < i));
  }
  return depth;
}

}  // namespace

std::vector<std::int64_t> depth_by_row(const Rows& rows) {
  if (const auto inputs = invariant_offsets(rows.a)) {
    if (const auto outputs = invariant_offsets(rows.b)) {
      return depth_of_translates(rows.n(), *inputs, *outputs);
    }
  }
  std::vector<std::int64_t> depth;
  depth.reserve(static_cast<std::size_t>(rows.n()));
  RangeMaximum<std::int64_t> chain;  // entry i - 1: edges of the longest chain that ends in y_i
  std::int64_t longest = 0;
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    const auto inputs = rows.a.row(i);
    std::int64_t edges = !inputs.empty() && inputs.front().low < i ? 1 : 0;
    for (const Interval& interval : rows.b.row(i)) {
      edges = std::max(edges, 1 + chain.over(static_cast<std::size_t>(interval.low - 1),
                                             static_cast<std::size_t>(interval.high - 1)));
    }
    chain.append(edges);
    depth.push_back(longest = std::max(longest, edges));
  }
  return depth;
}

}  // namespace heddle
