// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/subject.hpp"

#include <algorithm>

#include "patterns/ast_print.hpp"

namespace heddle::proof {

Subject::Subject(const Pattern& pattern, const ProveOptions& options)
    : pattern_(pattern),
      options_(options),
      structure_(structure_of(pattern, options.resource_limit)),
      measured_(MeasuredRows::up_to(pattern, options.check_up_to,
                                    std::min(options.check_pairs_up_to, options.check_up_to))) {}

const std::vector<HopBound>& Subject::know_hop_bounds() {
  if (!hops_are_known_) structure_.hop_bounds = find_hop_bounds(structure_);
  hops_are_known_ = true;
  return structure_.hop_bounds;
}

ClaimAttempt Subject::bound(const Claim& claim, const std::vector<std::string>& names,
                            std::optional<Integer> at_most) const {
  ClaimAttempt plain = prove_bound(structure_, claim, names, Detail::kPlain, at_most);
  if (plain.proved) return plain;
  return prove_bound(structure_, claim, names, Detail::kRefined, at_most);
}

std::optional<Proved> Subject::by_descent(const Claim& claim) const {
  const auto* bound = std::get_if<BoundClaim>(&claim.node);
  if (bound == nullptr || bound->op != ComparisonOperator::kLessEqual) return std::nullopt;
  const auto* hops = std::get_if<MeasureTerm>(&bound->left->node);
  if (hops == nullptr || print(*bound->left) != "hops(i, j)") return std::nullopt;
  const ExpressionPtr distance = in_distance(bound->right);
  if (!distance) return std::nullopt;
  std::optional<HopBound> found = prove_hop_bound(structure_, distance);
  if (!found) return std::nullopt;
  Proved proved;
  proved.rule = joined({found->rules.begin(), found->rules.end()});
  for (const ProvedModel* side : {&structure_.a, &structure_.b}) {
    proved.obligations.insert(proved.obligations.end(), side->obligations.begin(),
                              side->obligations.end());
    found->lemmas.insert(side->lemmas.begin(), side->lemmas.end());
  }
  proved.obligations.insert(proved.obligations.end(), found->obligations.begin(),
                            found->obligations.end());
  for (Obligation& obligation : structure_.knowledge.obligations_of(found->lemmas)) {
    proved.obligations.push_back(std::move(obligation));
  }
  proved.obligations = distinct(std::move(proved.obligations));
  return proved;
}

}  // namespace heddle::proof
