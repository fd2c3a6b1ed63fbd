// SPDX-License-Identifier: Apache-2.0
// Claims evaluated on small rows straight from the definitions: time by counting rows, hops by
// walking the graph, cache from below by what the next rows read, congestion and rank by the paths
// and weights that come with a refuted claim. What rows do not show of a counterexample is taken
// from claims that are proved of the measures there. Decides what was refuted or checked, and is a
// second opinion on what is proved.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "analyzer/audit/witnesses.hpp"
#include "analyzer/certificate/certificate.hpp"
#include "patterns/expression.hpp"

namespace heddle::auditing {

struct Evaluation {
  enum class Outcome { kAgrees, kContradicts, kOutOfReach };
  Outcome outcome = Outcome::kAgrees;
  std::string why;
};

class SmallRows {
 public:
  // Rows 1..n, or why they are wrong. n^2 numbers are kept. Of the functions that are `nested` it
  // is shown that rows of their lattices are.
  static Result<SmallRows> of(const Pattern& pattern, int n, std::set<std::string> nested = {});

  // Does the claim hold on these rows where it is proved or checked, and fail where it is refuted?
  // Claims that are `proved` say what measures are at a counterexample where rows do not, and which
  // classes are excluded.
  Evaluation evaluate(const Claim& claim, const CertifiedClaim& certified,
                      const std::vector<Claim>& proved) const;

  // Does the refuted claim hold at every place before its counterexample? Shown by evaluating them,
  // or by a proved claim that says the same of the rows before; `why` says which, or how far.
  Evaluation smallest(const Claim& claim, const CertifiedClaim& certified,
                      const std::vector<Claim>& proved) const;

 private:
  explicit SmallRows(const Pattern& pattern) : pattern_(&pattern), evaluator_(pattern) {}
  struct Decided {
    bool holds = true;
    Integer left, right;               // the two sides of the claim, or the two tokens
    bool infinite = false;             // the left side is
    bool exact = true;                 // else the left side is no less than `left`,
    std::optional<Integer> high = {};  // and no more than this
  };
  // What is known of measures besides the rows.
  struct Known {
    Enclosures shown = {};  // by paths and weights
    const std::vector<Claim>* proved = nullptr;
    Bindings at = {};  // the counterexample
  };
  std::optional<Decided> decide(const Claim& claim, const Bindings& bindings,
                                const Known& known) const;
  struct Sides {  // of a claim, as a certificate states them
    Integer left, right;
  };
  Evaluation evaluate_class(const GrowthClaim& claim, const Bindings& bindings, const Sides& stated,
                            const Known& known) const;
  Result<Integer> measure(MeasureKind kind, const std::vector<Integer>& arguments,
                          const Known& known) const;
  // What is known of a measure that rows do not show.
  Enclosure enclosure(MeasureKind kind, const std::vector<Integer>& arguments,
                      const Known& known) const;
  // What a proved bound says of the measure of these arguments.
  Enclosure bounds(const Claim& claim, MeasureKind kind, const std::vector<Integer>& arguments,
                   const Bindings& at) const;
  // The tokens 1..i that rows beyond i read, as far as they were looked at, far out the next one
  // alone: at most cache(i).
  std::optional<Integer> live_at_least(const Integer& i) const;
  // Those that may be read, by the shapes of the sets (live.cpp): at least cache(i).
  std::optional<Integer> live_at_most(const Integer& i) const;
  IntervalList may_stay(const SetExpression& set, Side side, std::int64_t i) const;
  std::optional<IntervalList> lattice_row(const std::string& function, std::int64_t row) const;

  static constexpr std::int64_t kFarthestRow = std::int64_t{1} << 32;  // that is evaluated alone

  const Pattern* pattern_;
  Evaluator evaluator_;
  std::set<std::string> nested_;
  std::vector<std::vector<int>> hops_{{}};  // [i][j], -1 without a path
  std::vector<int> depth_{0};               // depth(i)
  std::vector<int> last_a_, last_b_;  // the last row looked at that reads x_j, y_j; 0 if none does
};

}  // namespace heddle::auditing
