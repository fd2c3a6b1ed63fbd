// SPDX-License-Identifier: Apache-2.0
// Claims about growth against the values themselves, for random expressions and recursions.
#include <random>

#include "analyzer/rules/function_growth.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::pattern_of;

constexpr std::int64_t kValues = 50;

// Whether `growth` is true of f(0), f(1), ... as far as they have values; what it claims.
Growth checked_growth(const std::string& function) {
  const Pattern pattern = pattern_of(function + "\nA = diagonal\nB = none");
  const Evaluator evaluator(pattern);
  const Growth growth = GrowthAnalysis(pattern, evaluator).of_function("f");
  INFO(function);
  std::optional<Integer> before;
  for (std::int64_t k = 0; k < kValues; ++k) {
    const auto value = evaluator.call("f", k);
    if (!value.ok() || value->bit_length() > 500) break;
    INFO("f(" << k << ") = " << value->to_string());
    if (growth.low) CHECK(*value >= *growth.low);
    if (growth.step && before) CHECK(*value - *before >= *growth.step);
    before = *value;
  }
  return growth;
}

TEST_CASE("growth of the functions that patterns are made of") {
  struct Line {
    const char* function;
    int low;
    int step;
  };
  const Line lines[] = {{"f(k) = k^2 + 1", 1, 1},
                        {"f(k) = 2^k", 1, 1},
                        {"f(k) = 3^k", 1, 2},
                        {"f(k) = k^3 + 4*k - 2", -2, 5},
                        {"f(k) = floor(k * (k + 1) / 2) + 1", 1, 1},
                        {"f(k) = floor(k / 2) + 1", 1, 0},
                        {"f(k) = ceil(3*k / 2)", 0, 1},
                        {"f(k) = sqrt(k)", 0, 0},
                        {"f(k) = max(2*k, k + 3)", 3, 1},
                        {"f(k) = 7", 7, 0},
                        {"f(0) = 1, f(1) = 2, f(k+2) = f(k+1) + f(k)", 1, 1},
                        {"f(0) = 1, f(1) = 2, f(k+2) = 2*f(k+1) + f(k)", 1, 1},
                        {"f(0) = 2, f(k+1) = 3*f(k)", 2, 4},
                        {"f(0) = 1, f(k+1) = f(k) + k + 1", 1, 1},
                        {"f(k) = g(k)^2\ng(k) = 2*k + 1", 1, 8}};
  for (const Line& line : lines) {
    const Growth growth = checked_growth(line.function);
    INFO(line.function);
    CHECK(growth.low == Integer(line.low));
    CHECK(growth.step == Integer(line.step));
    CHECK(growth.diverges == (std::string(line.function) != "f(k) = 7"));
  }
  for (const char* function :
       {"f(k) = k mod 5", "f(k) = popcount(k)", "f(k) = 10 - k", "f(0) = 1, f(k+1) = 9 - f(k)"}) {
    const Growth growth = checked_growth(function);
    INFO(function);
    CHECK_FALSE(growth.nondecreasing());
    CHECK_FALSE(growth.diverges);
  }
}

std::string random_expression(std::mt19937& random, int depth) {
  const auto number = [&](int low, int count) {
    return std::to_string(low + static_cast<int>(random() % static_cast<unsigned>(count)));
  };
  if (depth == 0) return random() % 3 == 0 ? number(0, 5) : "k";
  const auto inner = [&] { return "(" + random_expression(random, depth - 1) + ")"; };
  switch (random() % 12) {
    case 0:
    case 1:
      return inner() + " + " + inner();
    case 2:
      return inner() + " - " + (random() % 2 == 0 ? number(0, 4) : inner());
    case 3:
    case 4:
      return inner() + " * " + inner();
    case 5:
      return inner() + "^" + number(1, 3);
    case 6:
      return number(1, 3) + "^(" + random_expression(random, depth / 2) + ")";
    case 7:
      return "floor(" + inner() + " / " + number(1, 4) + ")";
    case 8:
      return "ceil(" + inner() + " / " + number(1, 4) + ")";
    case 9:
      return "min(" + inner() + ", " + inner() + ")";
    case 10:
      return "max(" + inner() + ", " + inner() + ")";
    default: {
      const char* functions[] = {"abs", "popcount", "lowbit"};
      if (random() % 2 == 0) return "sqrt(abs(" + inner() + "))";
      if (random() % 2 == 0) return "log2(max(1, " + inner() + "))";
      return functions[random() % 3] + ("(1 + abs(" + inner() + "))");
    }
  }
}

TEST_CASE("no random expression grows less than is claimed") {
  std::mt19937 random(99);
  int claims = 0;
  for (int round = 0; round < 1000; ++round) {
    const int depth = 1 + static_cast<int>(random() % 3);
    const Growth growth = checked_growth("f(k) = " + random_expression(random, depth));
    claims += growth.nondecreasing();
  }
  CHECK(claims > 200);
}

TEST_CASE("no random recursion grows less than is claimed") {
  std::mt19937 random(100);
  int claims = 0;
  for (int round = 0; round < 300; ++round) {
    const auto number = [&](int low, int count) {
      return std::to_string(low + static_cast<int>(random() % static_cast<unsigned>(count)));
    };
    const auto term = [&]() -> std::string {
      switch (random() % 4) {
        case 0:
          return number(0, 3);
        case 1:
          return number(0, 3) + " * f(k + 1)";
        case 2:
          return "max(f(k), f(k + 1))";
        default:
          return random() % 2 == 0 ? "f(k)" : "k";
      }
    };
    const Growth growth = checked_growth("f(0) = " + number(0, 3) + ", f(1) = " + number(0, 5) +
                                         ", f(k+2) = " + term() + " + " + term());
    claims += growth.nondecreasing();
  }
  CHECK(claims > 50);
}

}  // namespace
}  // namespace heddle
