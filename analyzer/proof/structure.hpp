// SPDX-License-Identifier: Apache-2.0
// What is proved about the rows of a causal pattern, before any claim is looked at: the models of
// both sides, and which positions close to the row are read by every row.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/row_model.hpp"
#include "analyzer/proof/row_size.hpp"

namespace heddle::proof {

// hops(i, j) <= bound for every 1 <= j < i.
struct HopBound {
  ExpressionPtr bound;  // of one name, the distance (descent.hpp)
  std::vector<std::string> rules;
  std::vector<Obligation> obligations;
  std::set<std::string> lemmas;
};

struct Structure {
  Knowledge knowledge;
  ProvedModel a;
  ProvedModel b;
  Refined refined;  // about every lattice and every union of progressions in a and b
  // Each is proved when true and merely not known when false.
  bool a_reads_self = false;      // i in rowA(i) for i >= 1
  bool a_only_self = false;       // rowA(i) = {i} for i >= 1
  bool a_reads_all = false;       // rowA(i) = 1..i for i >= 1
  bool b_reads_previous = false;  // i-1 in rowB(i) for i >= 2
  bool b_reads_all = false;       // rowB(i) = 1..i-1 for i >= 1

  std::vector<HopBound> hop_bounds;  // filled by find_hop_bounds() where hops matter

  const ProvedModel& side(Side which) const { return which == Side::kA ? a : b; }
  // Every j < i reaches i: directly where rowA(i) is everything; else x_j enters at row j and
  // walks through rows j+1, ..., i.
  bool reaches_all() const { return a_reads_all || (a_reads_self && b_reads_previous); }
};

// `pattern` must be proved causal and outlive the result.
Structure structure_of(const Pattern& pattern, std::uint64_t resource_limit);

}  // namespace heddle::proof
