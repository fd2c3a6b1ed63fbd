// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/polynomial.hpp"

#include <algorithm>
#include <iterator>

namespace heddle::verify {

Polynomial::Polynomial(const Integer& constant) { add({}, constant); }

Polynomial Polynomial::atom(AtomId id) { return term(1, {id}); }

Polynomial Polynomial::term(const Integer& coefficient, Monomial monomial) {
  Polynomial result;
  result.add(monomial, coefficient);
  return result;
}

void Polynomial::add(const Monomial& monomial, const Integer& coefficient) {
  if (coefficient.sign() == 0) return;
  const auto [place, fresh] = terms_.emplace(monomial, coefficient);
  if (fresh) return;
  place->second = place->second + coefficient;
  if (place->second.sign() == 0) terms_.erase(place);
}

std::optional<Integer> Polynomial::constant() const {
  if (terms_.empty()) return Integer(0);
  if (terms_.size() == 1 && terms_.begin()->first.empty()) return terms_.begin()->second;
  return std::nullopt;
}

bool Polynomial::linear() const {
  return std::all_of(terms_.begin(), terms_.end(),
                     [](const auto& term) { return term.first.size() <= 1; });
}

std::set<AtomId> Polynomial::atoms() const {
  std::set<AtomId> result;
  for (const auto& [monomial, coefficient] : terms_) {
    result.insert(monomial.begin(), monomial.end());
  }
  return result;
}

Integer Polynomial::coefficient(AtomId id) const {
  const auto place = terms_.find({id});
  return place == terms_.end() ? Integer(0) : place->second;
}

bool Polynomial::mentions(AtomId id) const {
  return std::any_of(terms_.begin(), terms_.end(), [&](const auto& term) {
    return std::find(term.first.begin(), term.first.end(), id) != term.first.end();
  });
}

Polynomial Polynomial::with(AtomId id, const Polynomial& value) const {
  Polynomial result;
  for (const auto& [monomial, coefficient] : terms_) {
    Polynomial product(coefficient);
    for (const AtomId factor : monomial) {
      product = product * (factor == id ? value : Polynomial::atom(factor));
    }
    result = result + product;
  }
  return result;
}

Polynomial operator+(const Polynomial& a, const Polynomial& b) {
  Polynomial sum = a;
  for (const auto& [monomial, coefficient] : b.terms_) sum.add(monomial, coefficient);
  return sum;
}
Polynomial operator-(const Polynomial& a, const Polynomial& b) {
  Polynomial difference = a;
  for (const auto& [monomial, coefficient] : b.terms_) difference.add(monomial, -coefficient);
  return difference;
}
Polynomial operator*(const Polynomial& a, const Polynomial& b) {
  Polynomial product;
  for (const auto& [left, x] : a.terms_) {
    for (const auto& [right, y] : b.terms_) {
      Monomial monomial;
      std::merge(left.begin(), left.end(), right.begin(), right.end(),
                 std::back_inserter(monomial));
      product.add(monomial, x * y);
    }
  }
  return product;
}

Division divide(const Polynomial& p, const Integer& divisor) {
  Division result;
  for (const auto& [monomial, coefficient] : p.terms()) {
    const Integer whole = floor_div(coefficient, divisor);
    result.quotient = result.quotient + Polynomial::term(whole, monomial);
    result.remainder = result.remainder + Polynomial::term(coefficient - whole * divisor, monomial);
  }
  return result;
}

Division divide(const Polynomial& p, AtomId divisor) {
  Division result;
  for (const auto& [monomial, coefficient] : p.terms()) {
    Monomial rest = monomial;
    const auto place = std::find(rest.begin(), rest.end(), divisor);
    if (place == rest.end()) {
      result.remainder = result.remainder + Polynomial::term(coefficient, monomial);
      continue;
    }
    rest.erase(place);
    result.quotient = result.quotient + Polynomial::term(coefficient, std::move(rest));
  }
  return result;
}

}  // namespace heddle::verify
