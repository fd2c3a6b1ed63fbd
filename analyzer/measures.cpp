// SPDX-License-Identifier: Apache-2.0
// Calls each measure once; the only decisions here are the defaults of the options.
#include "analyzer/measures.hpp"

#include <algorithm>
#include <numeric>

#include "analyzer/cost.hpp"
#include "analyzer/depth.hpp"
#include "analyzer/invariance.hpp"

namespace heddle {
namespace {

// Rows that are translates of each other take about n steps, others n^2 times the size of a row.
constexpr std::int64_t kMostPaired = 1 << 16;
// A maximum flow keeps every read in memory.
constexpr std::int64_t kMostIntervals = 10'000'000;

Result<HopSummary> measure_hops(const Rows& rows) {
  if (rows.n() > kMostPaired && !(invariant_offsets(rows.a) && invariant_offsets(rows.b))) {
    return Error{"all pairs of more than " + std::to_string(kMostPaired) +
                 " tokens are only searched where rows are translates of each other"};
  }
  return summarize_hops(rows);
}

Result<RankResult> measure_rank(const Rows& rows, const std::optional<std::int64_t>& wanted) {
  const std::int64_t cut = wanted.value_or(rows.n() / 2);
  if (cut < 0 || cut > rows.n()) {
    return Error{"the cut " + std::to_string(cut) + " lies outside 0.." + std::to_string(rows.n())};
  }
  std::int64_t intervals = 0;
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    intervals += static_cast<std::int64_t>(rows.a.row(i).size() + rows.b.row(i).size());
  }
  if (intervals > kMostIntervals) {
    return Error{"rows of more than " + std::to_string(kMostIntervals) +
                 " intervals in all are not searched for paths"};
  }
  return rank_across(rows, cut);
}

Result<Congestion> measure_congestion(const Pattern& pattern, const Rows& rows,
                                      const MeasureOptions& options) {
  constexpr std::int64_t kDefaultCopy = 64;
  // The copy task is searched, never just counted, so more tokens than this are out of reach.
  constexpr std::int64_t kMostCopied = 1 << 16;
  const std::int64_t copy = options.copy.value_or(std::min(rows.n() / 2, kDefaultCopy));
  if (copy < 1) return Error{"a copy task needs a token and its copy"};
  if (copy > kMostCopied) {
    return Error{"copy tasks of more than " + std::to_string(kMostCopied) +
                 " tokens are not searched"};
  }
  if (2 * copy <= rows.n()) return copy_congestion(rows, copy, options.congestion);
  const MaterializeResult longer = materialize(pattern, 2 * copy);
  return match(
      longer, [&](const Rows& more) { return copy_congestion(more, copy, options.congestion); },
      [](const RowViolation& violation) -> Result<Congestion> {
        return Error{"row " + std::to_string(violation.row) + " reads position " +
                     violation.position.to_string() + ", which is outside its range"};
      },
      [](const Error& error) -> Result<Congestion> { return error; });
}

}  // namespace

std::int64_t Measures::time_max() const {
  return *std::max_element(time_by_row.begin(), time_by_row.end());
}

std::int64_t Measures::time_total() const {
  return std::accumulate(time_by_row.begin(), time_by_row.end(), std::int64_t{0});
}

std::int64_t max_of(const CacheSizes& cache) {
  return *std::max_element(cache.size.begin(), cache.size.end());
}

Measures measure(const Pattern& pattern, const Rows& rows, const MeasureOptions& options) {
  assert_that(rows.n() >= 1, "there is a row to measure");
  Measures result;
  result.n = rows.n();
  result.time_by_row = time_by_row(rows);
  result.depth_by_row = depth_by_row(rows);
  result.cache = cache_by_row(pattern, rows, options.horizon);
  result.hops = measure_hops(rows);
  result.rank = measure_rank(rows, options.cut);
  result.congestion = measure_congestion(pattern, rows, options);
  return result;
}

}  // namespace heddle
