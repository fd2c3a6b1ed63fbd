// SPDX-License-Identifier: Apache-2.0
// Every claim of a pattern with its verdict, and the sharpest bounds that can be proved unasked.
// A claim is searched for its smallest counterexample first, by exact measures that share nothing
// with the proof rules; only then a proof for every n is tried.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/certificate/verdict.hpp"
#include "analyzer/proof/causality.hpp"
#include "patterns/pattern.hpp"

namespace heddle {

struct ProveOptions {
  std::int64_t check_up_to = 1024;           // rows tried for claims with one variable
  std::int64_t check_pairs_up_to = 192;      // rows tried for claims with two, e.g. hops(i, j)
  std::int64_t farthest_search = 131072;     // rows tried when the solver hints at a counterexample
  std::int64_t longest_far_row = 100'000;    // positions of a row looked at beyond that
  std::uint64_t resource_limit = 2'000'000;  // of the solver, per obligation
};

struct ClaimVerdict {
  std::string text;  // the claim, canonical
  Verdict verdict;
  std::string scope;  // "all i", "n <= 1024", "i = 4"; empty when unknown
};

// What holds for every i, nothing where no rule finds it. `upper` and `lower` agree when the class
// is sharp.
struct DerivedMeasure {
  std::optional<GrowthClass> upper;
  std::optional<GrowthClass> lower;
  std::optional<Proved> upper_proof;  // parameters c and i0: measure <= c g(i) for i >= i0
  std::optional<Proved> lower_proof;  // parameters c and i0: g(i) <= c measure for i >= i0
  // Proved for every value of the variable, in the pattern language where that can say it:
  // "sqrt(i - 2) + 2 for i >= 2", else in words, "1 + #{k >= 0 : f(k) <= i - 1}". Empty if unknown.
  std::string closed_form;
  std::string lower_form;  // of the closed form, or a lower bound
  std::string upper_form;
};
struct DerivedBounds {
  DerivedMeasure time;               // of i
  DerivedMeasure cache;              // of i
  DerivedMeasure depth;              // of n, without a class as those below
  DerivedMeasure hops;               // of i and j, 1 <= j < i
  DerivedMeasure congestion;         // of n, with a lower class where it has no closed form
  DerivedMeasure rank;               // of m
  std::vector<ClaimVerdict> claims;  // what of this the language can say, with its proofs
};

struct ProofReport {
  CausalityVerdict causality;
  std::vector<ClaimVerdict> claims;  // in the order of the pattern
  // Proved, and not the pattern's. `prove` leaves here what excludes refuted claims where rows do
  // not show it: "cache(i) <= 3 for i = 7", as what cache and rank are at most hangs on all later
  // rows; "depth(n) = n - 1", where rows are too many; "time(i) in Omega(sqrt n)", as no row
  // refutes a class.
  std::vector<ClaimVerdict> derived;
  DerivedBounds bounds;  // by prove_and_derive
};

// Claims of a pattern that is not proved causal are unknown.
ProofReport prove(const Pattern& pattern, const ProveOptions& options = {});
DerivedBounds derive(const Pattern& pattern, const ProveOptions& options = {});
// As `prove`, with all that `derive` can state as well; a pattern is learnt once.
ProofReport prove_and_derive(const Pattern& pattern, const ProveOptions& options = {});

}  // namespace heddle
