// SPDX-License-Identifier: Apache-2.0
// Evidence that a script has no model, checked with exact integers and nothing else: a tree of
// cases at whose leaves a sum of products of what is assumed is a negative number, which is what
// Farkas and Handelman promise. Every symbol is an integer, as in the script.
//
//   (sum (c n m ...) ...)       c times the facts n, m, ... multiplied; summed, a number below 0
//   (case n P Q ...)            a proof for each alternative of the n-th disjunction
//   (cut t P Q)                 a proof where t >= 0, and one where t <= -1
//   (same (f s) (f t) P Q R)    proofs where s < t, where t < s, and where f(s) = f(t)
//
// c is positive unless one of the facts is an equation; (t n m ...) with a term t in the place of
// c is written (times t n m ...) and needs an equation among them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/audit/step.hpp"

namespace heddle::auditing {

using Monomial = std::vector<int>;               // numbers of atoms, sorted; none: the constant
using Polynomial = std::map<Monomial, Integer>;  // no coefficient is zero

Polynomial sum(Polynomial a, const Polynomial& b, const Integer& factor);  // a + factor b
Polynomial product(const Polynomial& a, const Polynomial& b);

// In negation normal form; no part of `and` is an `and`, none of `or` an `or`.
struct Formula {
  enum class Kind { kAtLeastZero, kZero, kAll, kAny };
  Kind kind = Kind::kAll;
  Polynomial value;
  std::vector<Formula> parts;
};

// What holds at one place of a proof. Facts are kAtLeastZero or kZero, disjunctions kAny.
struct Assumed {
  std::vector<Formula> facts, disjunctions;
  void add(const Formula& formula);
};

class Refutation {
 public:
  // Assumes the hypotheses and the negated goal, in this order, and what `ite` means before it.
  static Result<Refutation> of(const Script& script);

  const Assumed& assumed() const { return assumed_; }
  // Why the proof does not show that what is assumed is impossible.
  std::optional<std::string> check(const Term& proof);

  // An atom is a symbol, an `ite`, or an application, which has an argument.
  struct Atom {
    std::string name;
    std::string function;
    Polynomial argument;
  };
  const std::vector<Atom>& atoms() const { return atoms_; }
  std::string text_of(const Polynomial& value) const;  // a term that polynomial() reads back
  std::string text_of(const Atom& atom) const;
  // The three cases that functions give: s < t, t < s, f(s) = f(t).
  std::vector<Formula> comparison(int application, int other) const;

 private:
  Formula formula(const Term& term, bool positive);
  Polynomial polynomial(const Term& term);
  int atom(Atom atom);
  void fail(const char* why) {
    if (problem_.empty()) problem_ = why;
  }
  void check_node(const Term& proof);
  void check_cases(const Term& proof, std::size_t first, const std::vector<Formula>& cases);
  void check_sum(const Term& proof);
  Polynomial summand(const Term& part);

  std::vector<Atom> atoms_;
  std::map<std::string, int> numbers_;
  Assumed assumed_;
  bool open_ = true;  // new atoms may still appear
  std::size_t work_ = 0;
  std::string problem_;
};

// What is wrong with the text of a proof for the script, whose lines may break anywhere.
std::optional<std::string> check_evidence(const Script& script, std::string proof);

}  // namespace heddle::auditing
