// SPDX-License-Identifier: Apache-2.0
// The text of a script: the smallest logic that holds it, declarations in name order, assertions.
#include "analyzer/smt/script.hpp"

#include <set>

namespace heddle::smt {
namespace {

struct Symbols {
  std::set<std::string> variables;
  std::set<std::string> functions;
  bool nonlinear = false;
};

// True when the term has a variable or an uninterpreted function in it.
bool collect(const Term& term, Symbols& symbols) {
  if (term.operation() == Operation::kVariable) symbols.variables.insert(term.name());
  if (term.operation() == Operation::kApply) symbols.functions.insert(term.name());
  int symbolic = 0;
  for (const Term& operand : term.operands()) symbolic += collect(operand, symbols) ? 1 : 0;
  if (term.operation() == Operation::kMultiply && symbolic > 1) symbols.nonlinear = true;
  return symbolic > 0 || term.operation() == Operation::kVariable ||
         term.operation() == Operation::kApply;
}

}  // namespace

void Script::assume(Term fact, std::string why) {
  assertions_.push_back({std::move(fact), std::move(why)});
}

std::vector<Term> Script::hypotheses() const {
  std::vector<Term> facts;
  for (const Assertion& assertion : assertions_) facts.push_back(assertion.fact);
  return facts;
}

std::string Script::text(const std::string& statement,
                         const std::vector<Assertion>& assertions) const {
  Symbols symbols;
  for (const Assertion& assertion : assertions) collect(assertion.fact, symbols);
  std::string text = "; " + statement + "\n(set-logic QF_";
  text += symbols.functions.empty() ? "" : "UF";
  text += symbols.nonlinear ? "NIA)\n" : "LIA)\n";
  for (const std::string& name : symbols.variables) {
    text += "(declare-fun " + name + " () Int)\n";
  }
  for (const std::string& name : symbols.functions) {
    text += "(declare-fun " + name + " (Int) Int)\n";
  }
  for (const Assertion& assertion : assertions) {
    text += "; " + assertion.why + "\n(assert " + assertion.fact.text() + ")\n";
  }
  return text + "(check-sat)\n";
}

std::string Script::refutation_text(const std::string& statement, const Term& goal) const {
  std::vector<Assertion> assertions = assertions_;
  assertions.push_back({negation(goal), "the goal, negated"});
  return text(statement, assertions);
}

std::string Script::hypotheses_text(const std::string& statement) const {
  return text("hypotheses of: " + statement, assertions_);
}

}  // namespace heddle::smt
