// SPDX-License-Identifier: Apache-2.0
// A complete SMT-LIB 2 script: hypotheses and, negated, one goal. The text is self-contained and
// plain, so that z3, cvc5 or any other solver can be given the very same bytes.
#pragma once

#include <string>
#include <vector>

#include "analyzer/smt/term.hpp"

namespace heddle::smt {

class Script {
 public:
  // `why` becomes a comment above the assertion.
  void assume(Term fact, std::string why);

  std::vector<Term> hypotheses() const;

  // unsat exactly when the hypotheses imply `goal`.
  std::string refutation_text(const std::string& statement, const Term& goal) const;
  // sat exactly when the hypotheses are consistent, i.e. the implication is not vacuous.
  std::string hypotheses_text(const std::string& statement) const;

 private:
  struct Assertion {
    Term fact;
    std::string why;
  };
  std::string text(const std::string& statement, const std::vector<Assertion>& assertions) const;
  std::vector<Assertion> assertions_;
};

}  // namespace heddle::smt
