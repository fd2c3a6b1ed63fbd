// SPDX-License-Identifier: Apache-2.0
// Exact integers of any size. Values that fit 64 bits stay inline and fast; larger ones move to a
// big integer behind a pointer, so that no arithmetic here ever overflows silently.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace heddle {

class Integer {
 public:
  Integer() = default;
  Integer(std::int64_t value) : small_(value) {}
  Integer(int value) : small_(value) {}

  // Decimal digits with an optional leading '-'; nothing else.
  static std::optional<Integer> parse(std::string_view digits);

  std::string to_string() const;
  std::optional<std::int64_t> to_int64() const;
  // Bits in the magnitude; 0 for 0.
  std::size_t bit_length() const;
  int sign() const;

  friend Integer operator+(const Integer& a, const Integer& b);
  friend Integer operator-(const Integer& a, const Integer& b);
  friend Integer operator*(const Integer& a, const Integer& b);
  friend Integer operator-(const Integer& a);
  friend bool operator==(const Integer& a, const Integer& b);
  friend std::strong_ordering operator<=>(const Integer& a, const Integer& b);

  struct Big;

 private:
  friend struct IntegerAccess;
  std::int64_t small_ = 0;
  std::shared_ptr<const Big> big_;  // set if and only if the value does not fit small_
};

// floor(a / b), ceil(a / b) and a - b * floor(a / b). `b` must not be 0.
Integer floor_div(const Integer& a, const Integer& b);
Integer ceil_div(const Integer& a, const Integer& b);
Integer floor_mod(const Integer& a, const Integer& b);
// base^exponent; nothing when the result would have more than `max_bits` bits.
std::optional<Integer> power(const Integer& base, std::uint64_t exponent, std::size_t max_bits);
// floor(sqrt(a)) for a >= 0.
Integer integer_sqrt(const Integer& a);
// floor(log2(a)) for a >= 1.
Integer integer_log2(const Integer& a);
// Number of one bits of a >= 0.
Integer popcount(const Integer& a);
// The largest power of two that divides a, for a != 0.
Integer lowbit(const Integer& a);
Integer abs(const Integer& a);

}  // namespace heddle
