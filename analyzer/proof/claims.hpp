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

// `names` are the variables of the claim. With `at_most`, for values up to that only.
ClaimAttempt prove_bound(const Structure& structure, const Claim& claim,
                         const std::vector<std::string>& names, Detail detail,
                         std::optional<Integer> at_most = std::nullopt);
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
