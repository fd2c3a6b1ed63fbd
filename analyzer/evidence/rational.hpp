// SPDX-License-Identifier: Apache-2.0
// Exact fractions in lowest terms, with a positive denominator.
#pragma once

#include <numeric>
#include <utility>

#include "patterns/integer.hpp"

namespace heddle::evidence {

inline Integer gcd(Integer a, Integer b) {
  while (b.sign() != 0) {
    const auto x = a.to_int64(), y = b.to_int64();
    if (x && y && *x > INT64_MIN && *y > INT64_MIN) return std::gcd(*x, *y);
    a = std::exchange(b, floor_mod(a, abs(b)));
  }
  return abs(a);
}

class Rational {
 public:
  Rational(Integer value = 0) : over_(std::move(value)) {}  // NOLINT: integers are rational
  Rational(int value) : over_(value) {}                     // NOLINT
  Rational(Integer over, Integer under) : over_(std::move(over)), under_(std::move(under)) {
    if (under_ == Integer(1)) return;
    Integer common = gcd(over_, under_);
    if (under_.sign() < 0) common = -common;
    if (common == Integer(1)) return;
    over_ = floor_div(over_, common);
    under_ = floor_div(under_, common);
  }

  const Integer& over() const { return over_; }
  const Integer& under() const { return under_; }
  int sign() const { return over_.sign(); }
  bool whole() const { return under_ == Integer(1); }

  friend Rational operator+(const Rational& a, const Rational& b) {
    return {a.over_ * b.under_ + b.over_ * a.under_, a.under_ * b.under_};
  }
  friend Rational operator-(const Rational& a, const Rational& b) { return a + -b; }
  friend Rational operator-(const Rational& a) {
    Rational result = a;
    result.over_ = -result.over_;
    return result;
  }
  friend Rational operator*(const Rational& a, const Rational& b) {
    return {a.over_ * b.over_, a.under_ * b.under_};
  }
  friend Rational operator/(const Rational& a, const Rational& b) {
    return {a.over_ * b.under_, a.under_ * b.over_};
  }
  friend bool operator==(const Rational& a, const Rational& b) {
    return a.over_ == b.over_ && a.under_ == b.under_;
  }
  friend bool operator<(const Rational& a, const Rational& b) {
    return a.over_ * b.under_ < b.over_ * a.under_;
  }
  friend bool operator<=(const Rational& a, const Rational& b) { return !(b < a); }

 private:
  Integer over_;
  Integer under_ = 1;
};

}  // namespace heddle::evidence
