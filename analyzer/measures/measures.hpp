// SPDX-License-Identifier: Apache-2.0
// The facade: all measures of a pattern at a fixed n, and the rows behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "analyzer/measures/congestion.hpp"
#include "analyzer/measures/distance_semigroup.hpp"
#include "analyzer/measures/hops.hpp"
#include "analyzer/measures/mixing.hpp"
#include "analyzer/measures/path_counts.hpp"
#include "analyzer/measures/rank.hpp"
#include "analyzer/rules/liveness.hpp"

namespace heddle {

struct MeasureOptions {
  std::optional<std::int64_t> cut;   // of rank; floor(n / 2)
  std::optional<std::int64_t> copy;  // tokens of the copy task; min(floor(n / 2), 64)
  // Where no rule says what stays live, readers up to max(horizon, 4n) are counted.
  std::int64_t horizon = 0;
  CongestionOptions congestion;
  HopOptions hops;
  PathOptions paths;
  bool rank_evidence = false;  // disjoint paths and a minimum cut, beside the number
  // Told what is measured next, if set.
  std::function<void(std::string_view)> progress;
};

// A failed entry says why there is no number.
struct Measures {
  std::int64_t n = 0;

  std::vector<std::int64_t> time_by_row;   // entry i - 1: time(i)
  std::vector<std::int64_t> depth_by_row;  // entry i - 1: depth(i)
  Result<CacheSizes> cache = Error{"not computed"};

  Result<HopSummary> hops = Error{"not computed"};
  // Of output reads, where rows are translates; `semigroup_for_every_n` says that rows beyond n add
  // nothing to it.
  std::optional<DistanceSemigroup> semigroup;
  bool semigroup_for_every_n = false;
  Result<RankResult> rank = Error{"not computed"};
  Result<RankEvidence> rank_evidence = Error{"not asked for"};
  std::int64_t copy = 0;  // tokens of the copy task
  Result<Congestion> congestion = Error{"not computed"};
  // Entry m: the rank across the cut after m, for m = 0..n.
  Result<std::vector<std::int64_t>> rank_by_cut = Error{"not computed"};
  PathCounts paths;  // from token 1
  Mixing mixing;

  std::int64_t time_at_n() const { return time_by_row.back(); }
  std::int64_t time_max() const;
  std::int64_t time_total() const;
  std::int64_t depth_at_n() const { return depth_by_row.back(); }
};

// Of `rows` = rows 1..n of `pattern`, n >= 1. A copy task beyond n / 2 materialises more rows.
Measures measure(const Pattern& pattern, const Rows& rows, const MeasureOptions& options = {});

// The largest entry.
std::int64_t max_of(const CacheSizes& cache);

}  // namespace heddle
