// SPDX-License-Identifier: Apache-2.0
// Exact measures of all rows up to some n, computed when they are asked for. Shares no reasoning
// with the proof rules.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "analyzer/measures/hops.hpp"
#include "analyzer/rules/liveness.hpp"
#include "patterns/expression.hpp"
#include "patterns/materialize.hpp"

namespace heddle::proof {

// The measures that a claim mentions, for arguments up to n.
class MeasuredRows {
 public:
  // `pattern` must be causal and outlive the result.
  // `hop_rows` <= n limits hops, which take a table of pairs; `copy_work` the reads that are looked
  // at for one congestion.
  static Result<MeasuredRows> up_to(const Pattern& pattern, std::int64_t n, std::int64_t hop_rows,
                                    std::int64_t copy_work = 2'000'000);

  // Fails where the measure is infinite (is_infinite() of infinite.hpp tells), where it has no
  // value, or where none is known: then beyond() tells.
  Result<Integer> value(MeasureKind measure, const std::vector<Integer>& arguments) const;
  // congestion(n) is enclosed and not always exact: value() gives its lower bound plus `above`, as
  // long as that is not more than the upper bound. widest() is the largest width that was met.
  void count_above(std::int64_t above) const {
    above_ = above;
    enclosed_.clear();
  }
  std::int64_t widest() const { return widest_; }
  // How many arguments had no exact value since the last count_above().
  std::size_t enclosed() const { return enclosed_.size(); }
  // Tokens j + n and j, j <= n, without a path between them, where that is known of n.
  std::optional<std::pair<std::int64_t, std::int64_t>> copy_out_of_reach(std::int64_t n) const;
  // time(i) of a row beyond these, evaluated alone; nothing where rows get long.
  std::optional<std::int64_t> far_time(std::int64_t i) const;
  // True when the last failure was only that the argument is larger than n.
  bool beyond() const { return beyond_; }
  // The rows for which the measure is known.
  std::int64_t rows_for(MeasureKind measure) const;
  // |rowA| + |rowB| over all rows, or what was looked at for them if that is more.
  std::int64_t total() const { return total_; }
  // Set when cache(i) misses readers after this row.
  std::optional<std::int64_t> cache_horizon() const;

 private:
  std::int64_t n_ = 0;
  std::int64_t total_ = 0;
  std::int64_t copy_work_ = 0;
  const Pattern* pattern_ = nullptr;
  std::vector<std::int64_t> time_, depth_;
  std::optional<HopTable> hops_;
  const Result<CacheSizes>& cache() const;
  Result<Integer> congestion(std::int64_t n) const;
  Result<Integer> rank(std::int64_t m) const;

  std::shared_ptr<const Rows> rows_;
  mutable std::map<std::int64_t, Result<std::pair<std::int64_t, std::int64_t>>> congestions_;
  mutable std::map<std::int64_t, std::int64_t> ranks_;
  mutable std::map<std::int64_t, std::optional<std::int64_t>> far_times_;
  mutable std::optional<Result<CacheSizes>> cache_;
  mutable std::int64_t above_ = 0, widest_ = 0;
  mutable std::set<std::int64_t> enclosed_;
  mutable std::optional<std::vector<std::int32_t>> distances_;  // hops; empty: not translates
  mutable bool beyond_ = false;
};

}  // namespace heddle::proof
