// SPDX-License-Identifier: Apache-2.0
// Bounds h(i, j) <= E(i - j) for every j < i, by descent: from distance d some read leads to a
// smaller distance r, and E(r) + steps <= E(d). Short distances are the base of the induction; they
// are searched, for every residue of the row where rows repeat with a period.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/distance_expression.hpp"
#include "analyzer/proof/query.hpp"
#include "analyzer/proof/structure.hpp"

namespace heddle::proof {

// The proof of a bound: hops(i, j) <= bound. Needs structure.reaches_all().
std::optional<HopBound> prove_hop_bound(const Structure& structure, const ExpressionPtr& bound);
// The sharpest bounds of a few shapes, e.g. log2(i - j) + c, that can be proved.
std::vector<HopBound> find_hop_bounds(const Structure& structure);
// The term of a bound at a distance >= 1.
Term hop_bound_term(Query& query, const HopBound& bound, const Term& distance);

}  // namespace heddle::proof
