// SPDX-License-Identifier: Apache-2.0
#include "patterns/integer.hpp"

#include <random>

#include "tests/catch.hpp"

using namespace heddle;

namespace {

__extension__ typedef __int128 Wide;

std::string text_of(Wide value) {
  if (value == 0) return "0";
  std::string digits;
  const bool negative = value < 0;
  for (; value != 0; value /= 10) {
    const int digit = static_cast<int>(value % 10);
    digits.insert(digits.begin(), static_cast<char>('0' + (digit < 0 ? -digit : digit)));
  }
  return negative ? "-" + digits : digits;
}

}  // namespace

TEST_CASE("integers agree with 128-bit arithmetic around the 64-bit border") {
  std::mt19937_64 random(7);
  const std::int64_t edges[] = {0, 1, -1, 2, 3, -3, INT64_MAX, INT64_MIN, INT64_MAX - 1, 1L << 32};
  const auto draw = [&]() -> std::int64_t {
    if (random() % 3 == 0) return edges[random() % std::size(edges)];
    return static_cast<std::int64_t>(random()) >> (random() % 64);
  };
  for (int round = 0; round < 20000; ++round) {
    const std::int64_t x = draw();
    const std::int64_t y = draw();
    const Wide a = x;
    const Wide b = y;
    REQUIRE((Integer(x) + Integer(y)).to_string() == text_of(a + b));
    REQUIRE((Integer(x) - Integer(y)).to_string() == text_of(a - b));
    REQUIRE((Integer(x) * Integer(y)).to_string() == text_of(a * b));
    REQUIRE((Integer(x) < Integer(y)) == (x < y));
    REQUIRE((Integer(x) == Integer(y)) == (x == y));
    if (y == 0) continue;
    const Wide floor = a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
    REQUIRE(floor_div(x, y).to_string() == text_of(floor));
    REQUIRE(ceil_div(x, y).to_string() == text_of(floor + (floor * b != a ? 1 : 0)));
    REQUIRE(floor_mod(x, y).to_string() == text_of(a - b * floor));
  }
}

TEST_CASE("large integers come back from big to small") {
  const Integer big = *power(2, 200, 1 << 20);
  REQUIRE(big.to_string() == "1606938044258990275541962092341162602522202993782792835301376");
  REQUIRE(big - big == Integer(0));
  REQUIRE((big - big).to_int64() == 0);
  REQUIRE(floor_div(big, *power(2, 198, 1 << 20)).to_int64() == 4);
  REQUIRE(big.bit_length() == 201);
  REQUIRE(integer_log2(big) == Integer(200));
  REQUIRE(integer_sqrt(big) == *power(2, 100, 1 << 20));
  REQUIRE(integer_sqrt(big - Integer(1)) == *power(2, 100, 1 << 20) - Integer(1));
  REQUIRE(popcount(big - Integer(1)) == Integer(200));
  REQUIRE(lowbit(big * Integer(24)) == big * Integer(8));
  REQUIRE(Integer::parse(big.to_string()) == big);
  REQUIRE(Integer::parse("-" + big.to_string()) == -big);
}

TEST_CASE("integer text is decimal and nothing else") {
  REQUIRE(Integer::parse("007") == Integer(7));
  REQUIRE(Integer::parse("-0") == Integer(0));
  for (const char* wrong : {"", "-", "+1", "0x10", "1 ", "--1"}) {
    REQUIRE_FALSE(Integer::parse(wrong).has_value());
  }
}

TEST_CASE("a power beyond its limit is refused before it is computed") {
  REQUIRE_FALSE(power(2, 1'000'000'000, 1 << 20).has_value());
  REQUIRE_FALSE(power(3, 1 << 20, 1 << 20).has_value());
  REQUIRE(power(1, 1'000'000'000, 64) == Integer(1));
  REQUIRE(power(-1, 1'000'000'001, 64) == Integer(-1));
  REQUIRE(power(0, 0, 64) == Integer(1));
}
