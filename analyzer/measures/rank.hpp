// SPDX-License-Identifier: Apache-2.0
// rank(m): generic rank of the block of (I - B)^-1 A with rows after m and columns up to m, which
// is the largest number of vertex-disjoint paths across the cut (Lindstrom, Gessel, Viennot;
// Menger).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/measures/graph_vertex.hpp"
#include "patterns/materialize.hpp"

namespace heddle {

struct RankResult {
  std::int64_t cut = 0;
  std::int64_t value = 0;
  std::string lower;  // what shows that the rank is not smaller
  std::string upper;  // what shows that it is not larger
};

// Rows cut+1..n against columns 1..cut, 0 <= cut <= n. Fails where counting does not tell and the
// rows are too large for a search for paths.
Result<RankResult> rank_across(const Rows& rows, std::int64_t cut);

// What proves rank(cut) from both sides: as many disjoint paths, each an input up to the cut and
// then outputs, as there are vertices that every path across the cut meets one of.
struct RankEvidence {
  std::vector<std::vector<GraphVertex>> paths;
  std::vector<GraphVertex> minimum_cut;
};
// 0 <= cut <= n. Fails when the rows hold too many reads to be kept one by one.
Result<RankEvidence> rank_evidence(const Rows& rows, std::int64_t cut);

// Entry m is rank(m), for m = 0..n, by one flow that follows the cut. Fails when the rows are too
// large for a search for paths, or it looks at more than `work` reads.
Result<std::vector<std::int64_t>> rank_by_cut(const Rows& rows, std::int64_t work = 1'000'000'000);

}  // namespace heddle
