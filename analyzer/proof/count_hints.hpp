// SPDX-License-Identifier: Apache-2.0
// Products that show how a count #{k : f(k) <= x} compares with a root or a logarithm of x. The
// solver decides sums of products well and finds the products badly; values of f say which to give.
#pragma once

#include "analyzer/proof/growth.hpp"
#include "analyzer/proof/query.hpp"

namespace heddle::proof {

// For a goal count <= c g or g <= c count, where g is the term of the class in row i. Adds nothing
// that is not an instance of a lemma, so a wrong guess costs time and no more. False if there is
// nothing to add.
bool hint_at_counts(Query& query, const GrowthClass& growth, const Term& g, const Integer& c,
                    Direction direction);

// As query.prove(). Where counts and roots meet, the solver's luck with its seed decides whether it
// finds the products of its proof; the step then gets those that leave nothing but sums to find.
Attempt prove_steadily(Query& query, const std::string& name, const std::string& statement,
                       const Term& goal);

}  // namespace heddle::proof
