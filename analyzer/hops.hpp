// SPDX-License-Identifier: Apache-2.0
// hops(i, j): fewest edges from token j to token i. An input edge costs 0 from x_j to y_j and 1
// from x_j to a later y, an output edge costs 1; where row j does not read x_j, token j enters
// through a later row.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

constexpr int kUnreachable = -1;

// All pairs, for pictures and proofs by exhaustion: 2 n^2 bytes.
class HopTable {
 public:
  HopTable(std::int64_t n, std::vector<std::int32_t> hops) : n_(n), hops_(std::move(hops)) {}
  std::int64_t n() const { return n_; }
  // hops(i, j) for 1 <= j <= i <= n, or kUnreachable.
  int at(std::int64_t i, std::int64_t j) const {
    return hops_[static_cast<std::size_t>(i * (i - 1) / 2 + j - 1)];
  }

 private:
  std::int64_t n_;
  std::vector<std::int32_t> hops_;  // row by row
};
HopTable all_hops(const Rows& rows);

// Over the pairs 1 <= j < i <= n; `max` and `mean` over those with a path.
struct HopSummary {
  std::int64_t max = 0;
  double mean = 0;
  std::int64_t reachable_pairs = 0;
  std::int64_t unreachable_pairs = 0;
  // The first pair (i, j) with `max` hops, by i, then j; none if no pair is reachable.
  std::optional<std::pair<std::int64_t, std::int64_t>> witness;
};
HopSummary summarize_hops(const Rows& rows);

// Entry d is hops(j + d, j) for every j, d = 0..n-1, kUnreachable where there is no path; nothing
// unless both tables are invariant under translation.
std::optional<std::vector<std::int32_t>> hops_by_distance(const Rows& rows);

}  // namespace heddle
