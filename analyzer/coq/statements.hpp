// SPDX-License-Identifier: Apache-2.0
// What a claim says of one measure, as a proposition of Coq with its proof. Each quantifies over
// all naturals from 1 on, with j < i, as the language does. Time, cache and depth are said to exist
// and to be as claimed; hops and rank are bounded from the sides that the claim needs; congestion
// is the least of what it is at most.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/coq/claims.hpp"

namespace heddle::coq {

// The variables of a claim, with what is assumed of them.
struct Quantified {
  std::vector<std::string> variables;
  std::string hypotheses;  // "1 <= j < i -> i >= 2 -> "
  std::string introduced;  // "intros i j J W."
  Scope scope;
};

// What is claimed of one measure, whose value the text calls `value`.
struct Statement {
  MeasureKind measure;
  Quantified over;
  std::string relation;               // "t <= Nat.log2 i + 2"
  ComparisonOperator op;              // of measure OP bound
  std::optional<std::string> bound;   // where the claim is measure OP bound
  std::string tactic = "numbers";     // what decides it once the measure is a number
  const Claim* claim = nullptr;       // the whole, where it is a bound
  const Expression* limit = nullptr;  // the bound, where there is one
};

// What Coq calls the value of a measure.
const char* value_name(MeasureKind measure);

// "forall i, 1 <= i -> BODY"
std::string for_all(const Quantified& over, const std::string& body);

// Fails, in words, where no fact bounds the measure as sharply as the claim does.
Result<WrittenClaim> write(const Statement& statement, const Facts& facts);

}  // namespace heddle::coq
