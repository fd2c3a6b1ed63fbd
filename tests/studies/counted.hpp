// SPDX-License-Identifier: Apache-2.0
// The measures of one pattern, counted row by row from its rows alone: nothing here knows a rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/measures/hops.hpp"
#include "patterns/materialize.hpp"

namespace heddle::study {

constexpr std::int64_t kInfinite = INT64_MAX;

// low <= value <= high; a measure that is not known at all spans everything.
struct Enclosed {
  std::int64_t low = 0;
  std::int64_t high = kInfinite;
  bool exact() const { return low == high; }
};

class Counted {
 public:
  // Rows 1..n, hops among the first `pairs` of them, copy tasks and cuts up to `copies`.
  static std::optional<Counted> of(const Pattern& pattern, std::int64_t n, std::int64_t pairs,
                                   std::int64_t copies);

  std::int64_t rows() const { return n_; }
  std::int64_t pairs() const { return hops_->n(); }
  // Of time, cache, depth, congestion and rank, for 1 <= i <= last(measure).
  Enclosed value(MeasureKind measure, std::int64_t i) const;
  std::int64_t last(MeasureKind measure) const;
  // kInfinite where no path leads from j to i.
  std::int64_t hops(std::int64_t i, std::int64_t j) const;

  // What the analyzer's own rule for live sets says, if it names one for every row.
  const std::vector<std::int64_t>& cache_by_rule() const { return cache_by_rule_; }
  // "" if that rule agrees with the rows, else where it does not.
  std::string wrong_rule() const;

 private:
  std::int64_t n_ = 0;
  std::vector<std::int64_t> time_, depth_, rank_;
  std::vector<std::int64_t> read_later_;  // positions p <= i that some row in i + 1..n reads
  std::vector<std::int64_t> cache_by_rule_;
  std::int64_t all_readers_until_ = 0;  // read_later_ misses no reader for i up to this
  std::vector<Enclosed> congestion_;
  std::optional<HopTable> hops_;
};

}  // namespace heddle::study
