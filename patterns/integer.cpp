// SPDX-License-Identifier: Apache-2.0
#include "patterns/integer.hpp"

#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <limits>

#include "patterns/result.hpp"

namespace heddle {

using boost::multiprecision::cpp_int;

struct Integer::Big {
  cpp_int value;
};

// The border between the two representations: every value that fits 64 bits is kept small, so
// that equal values have equal representations.
struct IntegerAccess {
  static bool is_small(const Integer& a) { return !a.big_; }
  static std::int64_t small(const Integer& a) { return a.small_; }
  static cpp_int wide(const Integer& a) { return a.big_ ? a.big_->value : cpp_int(a.small_); }
  static Integer make(cpp_int value) {
    Integer result;
    if (value >= std::numeric_limits<std::int64_t>::min() &&
        value <= std::numeric_limits<std::int64_t>::max()) {
      result.small_ = value.convert_to<std::int64_t>();
    } else {
      result.big_ = std::make_shared<const Integer::Big>(Integer::Big{std::move(value)});
    }
    return result;
  }
};

namespace {

using Access = IntegerAccess;

bool both_small(const Integer& a, const Integer& b) {
  return Access::is_small(a) && Access::is_small(b);
}

cpp_int floor_quotient(const cpp_int& a, const cpp_int& b) {
  cpp_int quotient = a / b;
  if (a % b != 0 && (a < 0) != (b < 0)) --quotient;
  return quotient;
}

}  // namespace

std::optional<Integer> Integer::parse(std::string_view digits) {
  const bool negative = !digits.empty() && digits.front() == '-';
  const std::string_view magnitude = negative ? digits.substr(1) : digits;
  if (magnitude.empty()) return std::nullopt;
  for (char c : magnitude) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  // cpp_int reads a leading 0 as octal.
  const std::size_t first = std::min(magnitude.find_first_not_of('0'), magnitude.size() - 1);
  cpp_int value{std::string(magnitude.substr(first))};
  return Access::make(negative ? cpp_int(-value) : value);
}

std::string Integer::to_string() const { return big_ ? big_->value.str() : std::to_string(small_); }

std::optional<std::int64_t> Integer::to_int64() const {
  if (big_) return std::nullopt;
  return small_;
}

std::size_t Integer::bit_length() const {
  if (big_) return boost::multiprecision::msb(boost::multiprecision::abs(big_->value)) + 1;
  const auto magnitude =
      small_ < 0 ? 0 - static_cast<std::uint64_t>(small_) : static_cast<std::uint64_t>(small_);
  return static_cast<std::size_t>(std::bit_width(magnitude));
}

int Integer::sign() const {
  if (big_) return big_->value.sign();
  return (small_ > 0) - (small_ < 0);
}

Integer operator+(const Integer& a, const Integer& b) {
  std::int64_t sum = 0;
  if (both_small(a, b) && !__builtin_add_overflow(a.small_, b.small_, &sum)) return sum;
  return Access::make(Access::wide(a) + Access::wide(b));
}

Integer operator-(const Integer& a, const Integer& b) {
  std::int64_t difference = 0;
  if (both_small(a, b) && !__builtin_sub_overflow(a.small_, b.small_, &difference)) {
    return difference;
  }
  return Access::make(Access::wide(a) - Access::wide(b));
}

Integer operator*(const Integer& a, const Integer& b) {
  std::int64_t product = 0;
  if (both_small(a, b) && !__builtin_mul_overflow(a.small_, b.small_, &product)) return product;
  return Access::make(Access::wide(a) * Access::wide(b));
}

Integer operator-(const Integer& a) { return Integer(0) - a; }

bool operator==(const Integer& a, const Integer& b) { return (a <=> b) == 0; }

std::strong_ordering operator<=>(const Integer& a, const Integer& b) {
  if (both_small(a, b)) return a.small_ <=> b.small_;
  const int order = Access::wide(a).compare(Access::wide(b));
  return order <=> 0;
}

Integer floor_div(const Integer& a, const Integer& b) {
  assert_that(b.sign() != 0, "division by zero reached floor_div");
  if (both_small(a, b) && Access::small(b) != -1) {
    const std::int64_t x = Access::small(a);
    const std::int64_t y = Access::small(b);
    return x / y - ((x % y != 0 && (x < 0) != (y < 0)) ? 1 : 0);
  }
  return Access::make(floor_quotient(Access::wide(a), Access::wide(b)));
}

// ceil(a / b) = -floor(-a / b)
Integer ceil_div(const Integer& a, const Integer& b) { return -floor_div(-a, b); }

Integer floor_mod(const Integer& a, const Integer& b) { return a - b * floor_div(a, b); }

std::optional<Integer> power(const Integer& base, std::uint64_t exponent, std::size_t max_bits) {
  if (exponent == 0) return Integer(1);
  if (base == 0 || base == 1) return base;
  if (base == -1) return exponent % 2 == 0 ? Integer(1) : Integer(-1);
  // |base|^exponent >= 2^((bits - 1) * exponent)
  const std::size_t bits = base.bit_length();
  if (exponent > max_bits || (bits - 1) > max_bits / exponent) return std::nullopt;
  Integer result =
      Access::make(boost::multiprecision::pow(Access::wide(base), static_cast<unsigned>(exponent)));
  if (result.bit_length() > max_bits) return std::nullopt;
  return result;
}

Integer integer_sqrt(const Integer& a) {
  assert_that(a.sign() >= 0, "integer_sqrt of a negative number");
  return Access::make(boost::multiprecision::sqrt(Access::wide(a)));
}

Integer integer_log2(const Integer& a) {
  assert_that(a.sign() > 0, "integer_log2 of a number below 1");
  return static_cast<std::int64_t>(a.bit_length()) - 1;
}

Integer popcount(const Integer& a) {
  assert_that(a.sign() >= 0, "popcount of a negative number");
  if (Access::is_small(a)) return std::popcount(static_cast<std::uint64_t>(Access::small(a)));
  cpp_int rest = Access::wide(a);
  std::int64_t ones = 0;
  for (; rest != 0; rest >>= 64) {
    ones += std::popcount(static_cast<std::uint64_t>(rest & cpp_int(~std::uint64_t{0})));
  }
  return ones;
}

Integer lowbit(const Integer& a) {
  assert_that(a.sign() != 0, "lowbit of zero");
  const cpp_int magnitude = boost::multiprecision::abs(Access::wide(a));
  return Access::make(cpp_int(1) << boost::multiprecision::lsb(magnitude));
}

Integer abs(const Integer& a) { return a.sign() < 0 ? -a : a; }

}  // namespace heddle
