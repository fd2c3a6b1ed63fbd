// SPDX-License-Identifier: Apache-2.0
// Terms of integer arithmetic with uninterpreted functions, printed as SMT-LIB 2. Integers are the
// mathematical ones; there is no division, no remainder and no quantifier, so that every solver
// gives a term the same meaning.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "patterns/integer.hpp"

namespace heddle::smt {

enum class Operation {
  kConstant,
  kVariable,
  kApply,  // of an uninterpreted function of one integer
  kAdd,
  kSubtract,
  kMultiply,
  kIfThenElse,
  kLess,
  kLessEqual,
  kEqual,
  kAnd,
  kOr,
  kNot,
  kImplies,
};

class Term {
 public:
  Term(std::int64_t value);  // NOLINT: integers are terms
  Term(const Integer& value);

  static Term variable(std::string name);
  static Term apply(std::string function, Term argument);
  static Term make(Operation operation, std::vector<Term> operands);

  Operation operation() const;
  const std::string& name() const;  // of a variable or a function
  const std::vector<Term>& operands() const;
  bool is_constant() const { return operation() == Operation::kConstant; }
  const Integer& value() const;  // of a constant
  std::string text() const;      // SMT-LIB 2

 private:
  struct Node;
  void write(std::string& text) const;  // at its end
  explicit Term(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;
};

// Arithmetic on two constants is done at once; nothing else is simplified.
Term operator+(const Term& a, const Term& b);
Term operator-(const Term& a, const Term& b);
Term operator*(const Term& a, const Term& b);
Term operator<(const Term& a, const Term& b);
Term operator<=(const Term& a, const Term& b);
Term operator>(const Term& a, const Term& b);
Term operator>=(const Term& a, const Term& b);
Term equal(const Term& a, const Term& b);
Term if_then_else(const Term& condition, const Term& yes, const Term& no);
Term conjunction(const std::vector<Term>& operands);  // of none: true
Term disjunction(const std::vector<Term>& operands);  // of none: false
Term negation(const Term& operand);
Term implies(const Term& premise, const Term& conclusion);

}  // namespace heddle::smt
