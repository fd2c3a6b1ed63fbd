// SPDX-License-Identifier: Apache-2.0
// Which distances an offset pattern can cross: sums of one distance of A and any number of
// distances of B, which is a shifted additive semigroup, known by its least member in each residue.
#pragma once

#include <optional>

#include "analyzer/proof/query.hpp"
#include "analyzer/proof/structure.hpp"

namespace heddle::proof {

// Distances that are surely crossed in every row: those with one of the `direct` values, or, modulo
// the least distance of B, at least the least member of their residue.
struct ReachableDistances {
  IntervalList direct;
  std::optional<std::int64_t> all_beyond;          // every larger distance
  std::int64_t modulus = 0;                        // 0: B adds nothing
  std::vector<std::optional<std::int64_t>> least;  // by residue
};
// Nothing unless some part of A is distances; members that are not listed may be left out.
std::optional<ReachableDistances> reachable_distances(const Structure& structure);
// The distance, at least 0, is among them.
Term is_reachable(Query& query, const ReachableDistances& distances, const Term& distance);

}  // namespace heddle::proof
