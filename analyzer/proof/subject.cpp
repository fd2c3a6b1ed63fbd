// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/subject.hpp"

#include <algorithm>

#include "patterns/ast_print.hpp"

namespace heddle::proof {
namespace {

constexpr std::int64_t kMostPositions = 30'000'000;

// As many rows as hold a few million positions, if they go on as they begin.
std::int64_t cheap_rows(const MeasuredRows& measured, const ProveOptions& options) {
  std::int64_t rows = options.check_up_to, total = std::max(measured.total(), rows);
  while (rows * 2 <= options.farthest_search && total <= kMostPositions / 4) {
    rows *= 2;
    total *= 4;
  }
  return rows;
}

}  // namespace

Subject::Subject(const Pattern& pattern, const ProveOptions& options)
    : pattern_(pattern),
      options_(options),
      structure_(structure_of(pattern, options.resource_limit)),
      measured_(MeasuredRows::up_to(pattern, options.check_up_to,
                                    std::min(options.check_pairs_up_to, options.check_up_to))) {}

const Result<MeasuredRows>& Subject::farther() const {
  if (!farther_) farther_ = MeasuredRows::up_to(pattern_, cheap_rows(*measured_, options_), 0);
  return *farther_;
}

const std::vector<HopBound>& Subject::know_hop_bounds() {
  if (!hops_are_known_) structure_.hop_bounds = find_hop_bounds(structure_);
  hops_are_known_ = true;
  return structure_.hop_bounds;
}

ClaimAttempt Subject::bound(const Claim& claim, const std::vector<std::string>& names,
                            const Nearby& nearby) const {
  ClaimAttempt plain = prove_bound(structure_, claim, names, Detail::kPlain, nearby);
  if (plain.proved) return plain;
  return prove_bound(structure_, claim, names, Detail::kRefined, nearby);
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
