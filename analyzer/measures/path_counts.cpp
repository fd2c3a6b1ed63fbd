// SPDX-License-Identifier: Apache-2.0
// Sums over intervals are differences of running sums, so that a long interval costs what a point
// does.
#include "analyzer/measures/path_counts.hpp"

#include <algorithm>

namespace heddle {

PathCounts count_paths(const Rows& rows, std::int64_t from, const PathOptions& options) {
  assert_that(1 <= from && from <= rows.n(), "paths begin at a token");
  PathCounts counts;
  counts.from = from;
  std::vector<Integer> sum(1);  // entry e: the counts of outputs from .. from + e - 1, added up
  const std::int64_t last = std::min(rows.n(), std::max(options.last, from));
  std::int64_t work = 0;
  for (std::int64_t i = from; i <= last; ++i) {
    Integer here = rows.a.contains(i, from) ? 1 : 0;
    for (const Interval read : rows.b.row(i)) {
      if (read.high < from) continue;
      const auto low = static_cast<std::size_t>(std::max(read.low, from) - from);
      const auto high = static_cast<std::size_t>(read.high - from);
      here = here + (low == high ? counts.to[low] : sum[high + 1] - sum[low]);
      work += 1 + static_cast<std::int64_t>(here.bit_length() / 64);
    }
    sum.push_back(sum.back() + here);
    counts.to.push_back(std::move(here));
    if (work > options.work) break;
  }
  return counts;
}

}  // namespace heddle
