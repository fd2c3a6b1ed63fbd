// SPDX-License-Identifier: Apache-2.0
// Claims evaluated on small rows straight from the definitions: time by counting rows, hops by
// walking the graph. Decides what was refuted or checked, and is a second opinion on what is
// proved.
#pragma once

#include <string>
#include <vector>

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
  // Rows 1..n, or why they are wrong. n^2 numbers are kept.
  static Result<SmallRows> of(const Pattern& pattern, int n);

  // Does the claim hold on these rows where it is proved or checked, and fail where it is refuted?
  Evaluation evaluate(const Claim& claim, const CertifiedClaim& certified) const;

 private:
  explicit SmallRows(const Pattern& pattern) : pattern_(&pattern), evaluator_(pattern) {}
  struct Decided {
    bool holds = true;
    Integer left, right;    // the two sides of the claim, or the two tokens
    bool infinite = false;  // the left side is
  };
  std::optional<Decided> decide(const Claim& claim, const Bindings& bindings) const;
  Result<Integer> measure(MeasureKind kind, const std::vector<Integer>& arguments) const;

  const Pattern* pattern_;
  Evaluator evaluator_;
  std::vector<std::vector<int>> hops_{{}};  // [i][j], -1 without a path
};

}  // namespace heddle::auditing
