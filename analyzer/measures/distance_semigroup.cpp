// SPDX-License-Identifier: Apache-2.0
// With a the smallest distance, least[r] is the smallest sum that is r modulo a; the sums are then
// least[r] + a k for k >= 0 (Apery).
#include "analyzer/measures/distance_semigroup.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace heddle {
namespace {

constexpr std::int64_t kMostResidues = 1'000'000;
constexpr std::int64_t kMostWork = 500'000'000;  // residues looked at, over all generators
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

class Residues {
 public:
  explicit Residues(std::int64_t modulus)
      : modulus_(modulus), least_(static_cast<std::size_t>(modulus), kNever) {
    least_[0] = 0;
  }

  bool is_sum(std::int64_t c) const { return least_[static_cast<std::size_t>(c % modulus_)] <= c; }

  // Allows any number of summands c. Residues r, r + c, r + 2c, .. form cycles; two rounds through
  // one from any of its residues carry its smallest sum to all others.
  void add(std::int64_t c) {
    const std::int64_t cycles = std::gcd(c, modulus_);
    for (std::int64_t first = 0; first < cycles; ++first) {
      std::int64_t r = first;
      for (std::int64_t step = 0; step < 2 * (modulus_ / cycles); ++step) {
        const std::int64_t from = least_[static_cast<std::size_t>(r)];
        r = (r + c) % modulus_;
        if (from == kNever) continue;
        std::int64_t& to = least_[static_cast<std::size_t>(r)];
        to = std::min(to, from + c);
      }
    }
  }

  std::int64_t most() const {
    std::int64_t most = 0;
    for (const std::int64_t sum : least_) most = sum == kNever ? most : std::max(most, sum);
    return most;
  }
  bool complete() const { return std::find(least_.begin(), least_.end(), kNever) == least_.end(); }

 private:
  std::int64_t modulus_;
  std::vector<std::int64_t> least_;
};

}  // namespace

std::optional<DistanceSemigroup> distance_semigroup(const IntervalList& distances) {
  if (distances.empty()) return std::nullopt;
  const std::int64_t smallest = distances.front().low;
  if (smallest < 1 || smallest > kMostResidues) return std::nullopt;
  DistanceSemigroup semigroup;
  semigroup.gcd = smallest;
  semigroup.generators.push_back(smallest);
  Residues residues(smallest);
  std::int64_t work = 0;
  // Once all residues have sums, every distance from the largest of them on is one.
  std::int64_t all_sums_from = smallest == 1 ? 1 : kNever;
  for (const Interval& distance : distances) {
    for (std::int64_t c = distance.low; c <= distance.high && c < all_sums_from; ++c) {
      if (++work > kMostWork) return std::nullopt;
      if (residues.is_sum(c)) continue;
      residues.add(c);
      semigroup.generators.push_back(c);
      semigroup.gcd = std::gcd(semigroup.gcd, c);
      work += 2 * smallest;
      if (residues.complete()) all_sums_from = residues.most();
    }
  }
  const std::int64_t gap = residues.most() - smallest;
  if (gap > 0) semigroup.largest_gap = gap;
  return semigroup;
}

}  // namespace heddle
