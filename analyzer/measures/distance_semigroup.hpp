// SPDX-License-Identifier: Apache-2.0
// The distances that outputs of an invariant pattern can bridge: all sums of its distances, an
// additive semigroup.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "patterns/intervals.hpp"

namespace heddle {

struct DistanceSemigroup {
  std::vector<std::int64_t> generators;  // ascending; none is a sum of others
  std::int64_t gcd = 0;                  // of the generators; no other distance is ever a sum
  // The Frobenius number: the largest multiple of the gcd that is no sum, none if all positive
  // multiples are.
  std::optional<std::int64_t> largest_gap;
};

// Of distances >= 1, ascending; nothing when there are none, or when the smallest is too large to
// search the residues modulo it.
std::optional<DistanceSemigroup> distance_semigroup(const IntervalList& distances);

}  // namespace heddle
