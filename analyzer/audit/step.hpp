// SPDX-License-Identifier: Apache-2.0
// One step of a certificate while it is re-derived. Its script is read as formulas; each hypothesis
// must be licensed: a range, the definition of a number that no other hypothesis defines, or an
// instance of a lemma. The goal must say what the auditor derives from the text of the pattern.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/audit/term.hpp"
#include "analyzer/certificate/verdict.hpp"
#include "patterns/expression.hpp"

namespace heddle::auditing {

using Scope = std::vector<std::pair<std::string, Term>>;  // innermost last

struct Script {
  std::vector<Term> hypotheses;
  Term goal;
  std::set<std::string> constants, functions;  // that occur in these

  // The text for solvers, with the negated goal or without, and with the comments left out.
  std::string text(bool with_goal) const;
};
// Fails unless script and companion are, comments apart, the texts that their formulas make.
Result<Script> read_script(const Obligation& obligation);

class Step {
 public:
  Step(const Pattern& pattern, const Evaluator& evaluator, Script script)
      : pattern_(&pattern), evaluator_(&evaluator), script_(std::move(script)) {}

  // Licenses the hypothesis that the shape makes; false if the script has none such.
  bool allow(std::string_view shape, const Holes& holes = {});
  // A variable of the statement, of which nothing is known but what is allowed.
  Term variable(const std::string& name);
  // The number ?x that a hypothesis of this shape defines, once for each content of the other
  // holes. Such a number must exist, whatever the values of these.
  Term define(std::string_view shape, Holes holes);
  // The first number, new to the script, with which the attempt does not fail.
  Term choose(const std::string& what, const std::function<void(const Term&)>& attempt);

  // The value of an expression; where it has none, one of the needs is false.
  Term encode(const Expression& expression, const Scope& scope);
  Term encode(const Condition& condition, const Scope& scope);
  Term encode_known(const Expression& expression, const Scope& scope);  // adds no needs
  Term apply(const FunctionDefinition& function, const Term& argument);
  Term power(const Term& base, const Term& exponent);
  // Takes the symbol as a number that the value of `from` determines; false unless it is new.
  bool introduce(const Term& symbol, const Term& from);
  void need(Term fact) { now_.needs.push_back(std::move(fact)); }
  std::vector<Term> take_needs() { return std::exchange(now_.needs, {}); }
  // A term for each measure; without one, claims with measures fail.
  std::function<Term(MeasureKind, const std::vector<Term>&)> measure;
  bool free_names = false;  // names that are bound nowhere are variables >= 1

  void fail(const std::string& why) {
    if (now_.problem.empty()) now_.problem = why;
  }
  // The goal must cover what is wanted and the needs; `lemma` must license every other hypothesis.
  void conclude(Term wanted, const std::function<bool(const Term&)>& lemma);

  const std::string& problem() const { return now_.problem; }
  const Script& script() const { return script_; }
  const std::set<std::string>& variables() const { return now_.variables; }

 private:
  Term encode(const Arithmetic& node, const Scope& scope);
  Term encode(const BuiltinCall& node, const Scope& scope);
  Term quotient(const Term& dividend, const Term& divisor);
  Term name(const Name& node, const Scope& scope);

  const Pattern* pattern_;
  const Evaluator* evaluator_;
  Script script_;
  struct State {
    std::set<std::string> variables, defined, licensed;
    std::map<std::string, Term> known;  // what was defined, by its definition
    std::vector<Term> needs;
    std::string problem;
  } now_;  // what a failed attempt takes back
  int encoded_ = 0;
};

}  // namespace heddle::auditing
