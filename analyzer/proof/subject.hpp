// SPDX-License-Identifier: Apache-2.0
// A pattern under proof: what claims and derived bounds share. Its structure and its small rows are
// learnt once, bounds on hops when they are first asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/proof/claims.hpp"
#include "analyzer/proof/descent.hpp"
#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/proof/prove.hpp"
#include "analyzer/proof/structure.hpp"

namespace heddle::proof {

class Subject {
 public:
  // Both must outlive it.
  Subject(const Pattern& pattern, const ProveOptions& options);

  const Pattern& pattern() const { return pattern_; }
  const ProveOptions& options() const { return options_; }
  const Structure& structure() const { return structure_; }
  const Result<MeasuredRows>& measured() const { return measured_; }
  // Rows are only counted up to a horizon, so that more may be live than is known.
  bool cache_is_uncertain() const { return measured_->cache_horizon().has_value(); }

  // As many rows as are cheap to list, without hops; listed once, when first asked for.
  const Result<MeasuredRows>& farther() const;

  // Of the solver, for each obligation from here on.
  void limit(std::uint64_t resources) { structure_.knowledge.resource_limit = resources; }
  // From here on proofs know these bounds.
  const std::vector<HopBound>& know_hop_bounds();

  // By plain rules if they do.
  ClaimAttempt bound(const Claim& claim, const std::vector<std::string>& names,
                     const Nearby& nearby = {}) const;
  // hops(i, j) <= E(i - j) by descent on this very bound.
  std::optional<Proved> by_descent(const Claim& claim) const;

 private:
  const Pattern& pattern_;
  const ProveOptions& options_;
  Structure structure_;
  Result<MeasuredRows> measured_;
  mutable std::optional<Result<MeasuredRows>> farther_;
  bool hops_are_known_ = false;
};

}  // namespace heddle::proof
