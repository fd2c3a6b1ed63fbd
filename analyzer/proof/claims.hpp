// SPDX-License-Identifier: Apache-2.0
// The proof of one claim, by the laws for measures and one query.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/proof/measure_terms.hpp"
#include "analyzer/proof/structure.hpp"
#include "patterns/ast.hpp"

namespace heddle::proof {

struct ClaimAttempt {
  std::optional<Proved> proved;
  std::string reason;              // why not proved
  std::optional<Integer> suspect;  // the largest variable of a counterexample by the solver
};

// Of a claim about values that are not too large.
struct Nearby {
  std::vector<Integer> landmarks;  // powers and functions are held to their exact values there
  // Nothing is shown of larger values, and no claim says so: for certificates, claims do.
  std::optional<Integer> at_most;
};

// `names` are the variables of the claim.
ClaimAttempt prove_bound(const Structure& structure, const Claim& claim,
                         const std::vector<std::string>& names, Detail detail,
                         const Nearby& nearby = {});
// That the condition after `for` holds for no values at all, so that the claim says nothing.
ClaimAttempt prove_vacuous(const Structure& structure, const Claim& claim,
                           const std::vector<std::string>& names);
ClaimAttempt prove_reach(const Structure& structure, const Claim& claim,
                         const std::vector<std::string>& names);

// The obligations without repetitions, in order of first appearance.
std::vector<Obligation> distinct(std::vector<Obligation> obligations);
// "a; b; c", and back.
std::string joined(const std::set<std::string>& words);
std::set<std::string> parts_of(const std::string& joined);

}  // namespace heddle::proof
