// SPDX-License-Identifier: Apache-2.0
// Calls each measure once; the only decisions here are the defaults of the options.
#include "analyzer/measures/measures.hpp"

#include <algorithm>
#include <numeric>

#include "analyzer/measures/cost.hpp"
#include "analyzer/measures/depth.hpp"
#include "analyzer/measures/invariance.hpp"
#include "patterns/translation.hpp"

namespace heddle {
namespace {

Result<RankResult> measure_rank(const Rows& rows, const std::optional<std::int64_t>& wanted) {
  const std::int64_t cut = wanted.value_or(rows.n() / 2);
  if (cut < 0 || cut > rows.n()) {
    return Error{"the cut " + std::to_string(cut) + " lies outside 0.." + std::to_string(rows.n())};
  }
  return rank_across(rows, cut);
}

Result<Congestion> measure_congestion(const Pattern& pattern, const Rows& rows, std::int64_t copy,
                                      const MeasureOptions& options) {
  // The copy task is searched, never just counted, so more tokens than this are out of reach.
  constexpr std::int64_t kMostCopied = 1 << 16;
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

void measure_semigroup(const Pattern& pattern, const Rows& rows, Measures& result) {
  const auto distances = invariant_offsets(rows.b);
  if (!distances || distances->empty()) return;
  result.semigroup = distance_semigroup(*distances);
  if (!result.semigroup) return;
  // Distances of later rows are n or more. They add nothing where all of those are sums already.
  const DistanceSemigroup& sums = *result.semigroup;
  result.semigroup_for_every_n = reads_translates(pattern, Side::kB) && sums.gcd == 1 &&
                                 sums.largest_gap.value_or(0) < rows.n();
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
  const auto begin = [&](std::string_view part) {
    if (options.progress) options.progress(part);
  };
  result.n = rows.n();
  begin("time and depth");
  result.time_by_row = time_by_row(rows);
  result.depth_by_row = depth_by_row(rows);
  begin("cache");
  result.cache = cache_by_row(pattern, rows, options.horizon);
  begin("hops");
  result.hops = summarize_hops(rows, options.hops);
  measure_semigroup(pattern, rows, result);
  begin("rank");
  result.rank_by_cut = rank_by_cut(rows);
  result.rank = measure_rank(rows, options.cut);
  if (options.rank_evidence && result.rank) {
    result.rank_evidence = rank_evidence(rows, result.rank->cut);
  }
  begin("congestion");
  constexpr std::int64_t kDefaultCopy = 64;
  result.copy = options.copy.value_or(std::min(rows.n() / 2, kDefaultCopy));
  result.congestion = measure_congestion(pattern, rows, result.copy, options);
  begin("paths and mixing");
  result.paths = count_paths(rows, 1, options.paths);
  result.mixing = uniform_mixing(rows);
  return result;
}

}  // namespace heddle
