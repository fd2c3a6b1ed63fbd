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

// What a sample of tokens j tells, all i > j searched from each. Tokens are drawn independently
// with chances in proportion to their n - j pairs, so that averages over draws estimate averages
// over pairs.
struct HopSample {
  std::int64_t tokens = 0;  // drawn, with repetition
  double confidence = 0.95;
  // At this confidence, by the normal approximation: the mean lies within this of the one stated,
  // the share of unreachable pairs within this of that one.
  double mean_half_width = 0;
  double unreachable_share = 0;
  double unreachable_half_width = 0;
  // At this confidence, exactly: at most this share of the pairs (i, j) has a j from which some
  // token is more than `max` hops away. (1 - share)^tokens = 1 - confidence.
  double share_beyond_max = 0;
};

// Over the pairs 1 <= j < i <= n; `max` and `mean` over those with a path.
struct HopSummary {
  std::int64_t max = 0;
  double mean = 0;
  // With a sample: only pairs that were searched are counted, here and in `distribution`.
  std::int64_t reachable_pairs = 0;
  std::int64_t unreachable_pairs = 0;
  // The first pair (i, j) with `max` hops, by i, then j; none if no pair is reachable.
  std::optional<std::pair<std::int64_t, std::int64_t>> witness;
  // The tokens on a path with fewest hops from j to i of `witness`, both included.
  std::vector<std::int64_t> path;
  std::vector<std::int64_t> distribution;  // entry h: pairs with h hops, h = 0..max
  std::optional<HopSample> sample;         // set unless all pairs were searched
};

struct HopOptions {
  // Bounds work, not time, so that results repeat: steps of 64 columns through one interval of a
  // row. Patterns that need more are sampled, unless distances tell all.
  std::int64_t work = 10'000'000'000;
  std::int64_t sample_work = 1'000'000'000;
};
HopSummary summarize_hops(const Rows& rows, const HopOptions& options = {});

// Entry d is hops(j + d, j) for every j, d = 0..n-1, kUnreachable where there is no path; nothing
// unless both tables are invariant under translation.
std::optional<std::vector<std::int32_t>> hops_by_distance(const Rows& rows);

}  // namespace heddle
