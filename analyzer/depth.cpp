// SPDX-License-Identifier: Apache-2.0
// The order of tokens is a topological order, so one pass finds longest chains.
#include "analyzer/depth.hpp"

#include <algorithm>

#include "analyzer/range_extreme.hpp"

namespace heddle {

std::vector<std::int64_t> depth_by_row(const Rows& rows) {
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
