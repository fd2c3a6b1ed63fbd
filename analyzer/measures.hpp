// SPDX-License-Identifier: Apache-2.0
// The facade: all measures of a pattern at a fixed n, and the rows behind them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "analyzer/congestion.hpp"
#include "analyzer/hops.hpp"
#include "analyzer/liveness.hpp"
#include "analyzer/rank.hpp"

namespace heddle {

struct MeasureOptions {
  std::optional<std::int64_t> cut;   // of rank; floor(n / 2)
  std::optional<std::int64_t> copy;  // tokens of the copy task; min(floor(n / 2), 64)
  // Where no rule says what stays live, readers up to max(horizon, 4n) are counted.
  std::int64_t horizon = 0;
  CongestionOptions congestion;
};

// A failed entry says why there is no number.
struct Measures {
  std::int64_t n = 0;

  std::vector<std::int64_t> time_by_row;   // entry i - 1: time(i)
  std::vector<std::int64_t> depth_by_row;  // entry i - 1: depth(i)
  Result<CacheSizes> cache = Error{"not computed"};

  Result<HopSummary> hops = Error{"not computed"};
  Result<RankResult> rank = Error{"not computed"};
  Result<Congestion> congestion = Error{"not computed"};

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
