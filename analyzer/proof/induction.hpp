// SPDX-License-Identifier: Apache-2.0
// Induction over the naturals as two scripts without quantifiers.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "analyzer/proof/query.hpp"

namespace heddle::proof {

struct Induction {
  std::string name;       // of the lemma: "increasing(f)"
  std::string statement;  // "f(k) >= 1 and f(k+1) > f(k) for all k >= 0"
  int width = 1;          // base P(0), ..., P(width-1); step P(k), ..., P(k+width-1) => P(k+width)
  std::function<Term(Query&, const Term&)> property;
};

// The lemma, if both parts are proved. `function` is the one that the property is about: its step
// is unfolded at k, ..., k+width, and having a value there is part of what the step proves. Pass
// null for a property of powers alone.
std::optional<Lemma> by_induction(const Knowledge& knowledge, const FunctionDefinition* function,
                                  const Induction& induction);

}  // namespace heddle::proof
