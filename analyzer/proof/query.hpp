// SPDX-License-Identifier: Apache-2.0
// One proof obligation under construction: hypotheses, the meaning of expressions of the pattern
// as terms, and the attempt to prove a goal from them. Whatever an expression needs to have a
// value (a positive divisor, a natural argument) becomes part of the goal.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/certificate/verdict.hpp"
#include "analyzer/proof/counter_model.hpp"
#include "analyzer/proof/knowledge.hpp"
#include "analyzer/proof/row_model.hpp"
#include "analyzer/smt/script.hpp"
#include "analyzer/smt/solver.hpp"
#include "patterns/ast.hpp"

namespace heddle::proof {

using smt::Term;
using Scope = std::vector<std::pair<std::string, Term>>;  // innermost last

// The sum of coefficients[d] * t^d.
Term polynomial(const ClosedForm& form, const Term& t);

// floor(dividend / divisor) for a positive divisor.
Witness quotient_witness(const Term& dividend, const Term& divisor);

struct Attempt {
  smt::Answer answer = smt::Answer::kUnknown;
  Obligation obligation;
  std::map<std::string, Integer> model;  // kSat only, by name of the variable
  std::string reason;                    // kUnknown only
  bool proved() const { return answer == smt::Answer::kUnsat; }
};

class Query {
 public:
  using MeasureEncoder =
      std::function<std::optional<Term>(Query&, MeasureKind, const std::vector<Term>&)>;

  Query(const Knowledge& knowledge, std::uint64_t resource_limit)
      : knowledge_(knowledge), resource_limit_(resource_limit) {}

  // An integer of which nothing is known yet.
  Term variable(const std::string& name);
  // stem.1, stem.2, ...: names that no pattern can use. Hypotheses leave it what the witness says.
  Term fresh(const std::string& stem, Witness witness = nullptr);
  void assume(const Term& fact, std::string why);

  // The exact value of an expression, with hypotheses for what it is built from. Where it has no
  // value the term is arbitrary and one of needs() is false.
  Term encode(const Expression& expression, const Scope& scope);
  Term encode(const Condition& condition, const Scope& scope);
  // As encode(), for an expression that is known to have a value where it matters.
  Term encode_known(const Expression& expression, const Scope& scope);
  // f(argument) of the pattern; means something only where argument >= 0.
  Term apply(const FunctionDefinition& function, const Term& argument);
  // popcount(x); means something only where x >= 1.
  Term popcount_of(const Term& x);
  // Assumes the step of a recursive function at k, f(k + order) = ..., and returns what the step
  // needs to have a value there. For inductions, where the function is not known to be total yet.
  Term unfold(const FunctionDefinition& function, const Term& k);
  // base^exponent for base >= 2; says something only where exponent >= 0.
  Term power_of(const Integer& base, const Term& exponent);

  // For 0 <= a <= b and 0 <= c <= d: a c <= b d. Solvers rarely see it by themselves.
  void order_products(const Term& a, const Term& b, const Term& c, const Term& d);
  // 2^(2t) = (2^t)^2 for t >= 0.
  void square_power(const Term& t);
  // Remembers that `count` is #{k >= low : value(k) <= ...} of the progression.
  void counted(const Term& count, const Progression& progression) {
    counts_.emplace_back(count, progression);
  }
  const std::vector<std::pair<Term, Progression>>& counts() const { return counts_; }
  // Remembers that `root` is the floor of a root of this degree.
  void rooted(const Term& root, int degree) { roots_.emplace_back(root, degree); }
  const std::vector<std::pair<Term, int>>& roots() const { return roots_; }
  // Remembers that something is at most a * b.
  void factored(const Term& a, const Term& b) { factors_.emplace_back(a, b); }
  const std::vector<std::pair<Term, Term>>& factors() const { return factors_; }

  // Adds instances of lemmas that plain proofs do without.
  void refine() { refined_ = true; }
  // Powers and functions are also held to their exact values around this size.
  void landmark(const Integer& size) { landmarks_.push_back(size); }

  // Adds to what the goal needs for its expressions to have a value.
  void need(const Term& fact) { needs_.push_back(fact); }
  // What the expressions encoded since the last call need to have a value.
  std::vector<Term> take_needs();
  void encode_measures_with(MeasureEncoder encoder) { measure_encoder_ = std::move(encoder); }
  void refuse(std::string why);  // the statement cannot be expressed; prove() says so
  bool refused() const { return !refusal_.empty(); }
  const std::string& refusal() const { return refusal_; }

  // Tries to prove `goal` from the hypotheses. The model of an answer kSat may be a small one that
  // was found without the solver.
  Attempt prove(const std::string& name, const std::string& statement, const Term& goal);
  // The step that prove() would ask the solver.
  Obligation step(const std::string& name, const std::string& statement, const Term& goal);
  // Names of the lemmas about functions that the hypotheses rest on.
  const std::set<std::string>& lemmas() const { return lemmas_; }
  const Knowledge& knowledge() const { return knowledge_; }

 private:
  Term encode_arithmetic(const Arithmetic& node, const Scope& scope);
  Term encode_builtin(const BuiltinCall& node, const Scope& scope);
  Term encode_measure(const MeasureTerm& node, const Scope& scope);
  std::string unused(const std::string& stem);
  Term floor_of_quotient(const Term& dividend, const Term& divisor);
  Term power_term(const Term& base, const Term& exponent);
  Term floor_of_sqrt(const Term& operand);
  Term floor_of_log2(const Term& operand);
  Term bits_of(BuiltinFunction function, const Term& operand);
  Term with_needs(const Term& goal);
  void add_lemma_instances();
  void add_function_instances(const FunctionDefinition& function, const Term& argument);
  void add_power_instances(const Integer& base, const Term& exponent);
  void add_powers_within();

  const Knowledge& knowledge_;
  std::uint64_t resource_limit_;
  smt::Script script_;
  std::set<std::string> variables_;
  std::vector<std::string> free_;
  std::vector<std::pair<std::string, Witness>> defined_;
  std::vector<Term> needs_;
  std::string refusal_;
  std::size_t encoded_ = 0;
  MeasureEncoder measure_encoder_;
  std::set<std::string> lemmas_;
  std::set<std::string> unfolded_;
  std::map<std::string, Term> known_values_;  // by the text of what was encoded
  std::map<std::string, std::vector<Term>> function_arguments_;
  std::map<Integer, std::vector<Term>> power_arguments_;
  std::vector<Integer> landmarks_;
  std::vector<std::pair<Term, Progression>> counts_;
  std::vector<std::pair<Term, int>> roots_;
  std::vector<std::pair<Term, Term>> factors_;
  bool refined_ = false;
};

}  // namespace heddle::proof
