// SPDX-License-Identifier: Apache-2.0
// Polynomials over atoms, the unknowns of a kernel run, with exact integer coefficients and one
// normal form: two polynomials are the same function if and only if they are equal.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "patterns/integer.hpp"

namespace heddle::verify {

using AtomId = std::int32_t;
using Monomial = std::vector<AtomId>;  // sorted; of nothing: 1

class Polynomial {
 public:
  Polynomial() = default;  // 0
  Polynomial(std::int64_t constant) : Polynomial(Integer(constant)) {}
  Polynomial(const Integer& constant);
  static Polynomial atom(AtomId id);
  static Polynomial term(const Integer& coefficient, Monomial monomial);

  const std::map<Monomial, Integer>& terms() const { return terms_; }  // no zero coefficients
  std::optional<Integer> constant() const;  // the value of a polynomial without atoms
  bool linear() const;
  std::set<AtomId> atoms() const;
  // The coefficient of the atom alone, 0 where there is none.
  Integer coefficient(AtomId id) const;
  bool mentions(AtomId id) const;
  Polynomial with(AtomId id, const Polynomial& value) const;  // `value` put for the atom

  friend Polynomial operator+(const Polynomial& a, const Polynomial& b);
  friend Polynomial operator-(const Polynomial& a, const Polynomial& b);
  friend Polynomial operator*(const Polynomial& a, const Polynomial& b);
  friend bool operator==(const Polynomial& a, const Polynomial& b) { return a.terms_ == b.terms_; }
  friend bool operator<(const Polynomial& a, const Polynomial& b) { return a.terms_ < b.terms_; }

 private:
  void add(const Monomial& monomial, const Integer& coefficient);
  std::map<Monomial, Integer> terms_;
};

// p = divisor * quotient + remainder, term by term: a term that the divisor divides goes into the
// quotient, of a constant divisor as large a part of it as leaves a non-negative rest.
struct Division {
  Polynomial quotient;
  Polynomial remainder;
};
Division divide(const Polynomial& p, const Integer& divisor);
Division divide(const Polynomial& p, AtomId divisor);

}  // namespace heddle::verify
