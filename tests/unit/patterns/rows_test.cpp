// SPDX-License-Identifier: Apache-2.0
// Rows against sets computed here, position by position, without the evaluator.
#include <cmath>
#include <functional>
#include <random>
#include <set>

#include "patterns/builtin_patterns.hpp"
#include "patterns/expression.hpp"
#include "tests/unit/patterns/support.hpp"

using namespace heddle;
using namespace heddle::test;

namespace {

using Positions = std::set<std::int64_t>;

Positions row_of(const RowTable& table, std::int64_t i) {
  Positions row;
  for_each_position(table, i, [&](std::int64_t p) { row.insert(p); });
  return row;
}

Positions offsets(const std::function<std::int64_t(std::int64_t)>& f, std::int64_t i) {
  Positions row;
  for (std::int64_t k = 0; f(k) < i; ++k) row.insert(i - f(k));
  return row;
}

Positions lattice(const std::function<std::int64_t(std::int64_t)>& f, std::int64_t i) {
  Positions row;
  std::int64_t a = 1;
  for (std::int64_t k = 0; f(k) < i; ++k) {
    if (k > 0) a *= (f(k) - f(k - 1) + a - 1) / a;
    row.insert(a * ((i - f(k) + a - 1) / a));
  }
  return row;
}

Positions window(std::int64_t w, std::int64_t last) {
  Positions row;
  for (std::int64_t p = std::max<std::int64_t>(1, last - w + 1); p <= last; ++p) row.insert(p);
  return row;
}

std::int64_t power_of_two(std::int64_t k) { return std::int64_t{1} << k; }
std::int64_t square(std::int64_t k) { return k * k + 1; }
std::int64_t fibonacci(std::int64_t k) {
  std::int64_t a = 1, b = 2;
  for (; k > 0; --k) std::swap(a, b), b += a;
  return a;
}

Rows builtin(const char* name, std::int64_t n) {
  return rows_of(pattern_of(std::string(find_builtin(name)->text)), n);
}

}  // namespace

TEST_CASE("built-in rows are what their definitions say") {
  constexpr std::int64_t n = 700;
  const auto expect = [&](const char* name, auto a, auto b) {
    const Rows rows = builtin(name, n);
    for (std::int64_t i = 1; i <= n; ++i) {
      INFO(name << " row " << i);
      REQUIRE(row_of(rows.a, i) == a(i));
      REQUIRE(row_of(rows.b, i) == b(i));
    }
  };
  const auto none = [](std::int64_t) { return Positions{}; };
  const auto diagonal = [](std::int64_t i) { return Positions{i}; };
  const auto upto = [](std::int64_t i) { return window(i, i); };
  const auto before = [](std::int64_t i) { return window(i, i - 1); };
  const auto with_self = [](Positions row, std::int64_t i) {
    row.insert(i);
    return row;
  };
  expect("attention", upto, none);
  expect(
      "local_attention", [](std::int64_t i) { return window(64, i); }, none);
  expect(
      "strided_attention",
      [](std::int64_t i) {
        Positions row = window(64, i);
        for (std::int64_t p = i - 64; p >= 1; p -= 64) row.insert(p);
        return row;
      },
      none);
  expect(
      "log_attention", [&](std::int64_t i) { return with_self(offsets(power_of_two, i), i); },
      none);
  expect(
      "sqrt_attention", [&](std::int64_t i) { return with_self(offsets(square, i), i); }, none);
  expect("linear_recurrence", diagonal, [](std::int64_t i) { return window(1, i - 1); });
  expect("linear_attention", diagonal, [](std::int64_t i) { return window(1, i - 1); });
  expect("order_k_recurrence", diagonal, [](std::int64_t i) { return window(4, i - 1); });
  expect("dense_recurrence", diagonal, before);
  expect("chacal", upto, before);
  expect("log_recurrence", diagonal, [](std::int64_t i) { return offsets(power_of_two, i); });
  expect("sqrt_recurrence", diagonal, [](std::int64_t i) { return offsets(square, i); });
  expect("fibonacci_recurrence", diagonal, [](std::int64_t i) { return offsets(fibonacci, i); });
  expect("log_cached", diagonal, [](std::int64_t i) { return lattice(power_of_two, i); });
  expect("sqrt_cached", diagonal, [](std::int64_t i) { return lattice(square, i); });
  expect("fibonacci_cached", diagonal, [](std::int64_t i) { return lattice(fibonacci, i); });
}

TEST_CASE("reference sizes of lattice rows") {
  for (const auto& [n, log_size, sqrt_size] :
       {std::tuple{1024, 11, 23}, std::tuple{4096, 13, 46}, std::tuple{16384, 15, 91}}) {
    REQUIRE(builtin("log_cached", n + 1).b.size(n + 1) == log_size);
    REQUIRE(builtin("sqrt_cached", n + 1).b.size(n + 1) == sqrt_size);
  }
}

TEST_CASE("a lattice written out by hand is the lattice") {
  const Pattern by_hand = pattern_of(R"(pattern p(step = 1) {
    f(k) = k^2 + 1
    a(0) = step
    a(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))
    A = { i }
    B = { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i }
  })");
  const Rows left = rows_of(by_hand, 600);
  const Rows right = builtin("sqrt_cached", 600);
  for (std::int64_t i = 1; i <= 600; ++i) REQUIRE(row_of(left.b, i) == row_of(right.b, i));
}

TEST_CASE("set algebra agrees with sets of numbers") {
  std::mt19937_64 random(5);
  const auto draw = [&] {
    IntervalList list;
    for (int parts = static_cast<int>(random() % 5); parts > 0; --parts) {
      const auto low = static_cast<std::int64_t>(random() % 30);
      list.push_back({low, low + static_cast<std::int64_t>(random() % 6) - 1});
    }
    return normalized(list);
  };
  const auto points = [](const IntervalList& list) {
    Positions set;
    for (const Interval& x : list) {
      for (std::int64_t p = x.low; p <= x.high; ++p) REQUIRE(set.insert(p).second);
    }
    return set;
  };
  for (int round = 0; round < 20000; ++round) {
    const IntervalList a = draw(), b = draw();
    const Positions x = points(a), y = points(b);
    Positions either = x, both, rest;
    either.insert(y.begin(), y.end());
    for (std::int64_t p : x) (y.contains(p) ? both : rest).insert(p);
    REQUIRE(points(union_of(a, b)) == either);
    REQUIRE(points(intersection_of(a, b)) == both);
    REQUIRE(points(difference_of(a, b)) == rest);
    REQUIRE(union_of(a, b) == normalized(union_of(a, b)));
    REQUIRE(count_of(a) == static_cast<std::int64_t>(x.size()));
    for (std::int64_t p = -1; p < 40; ++p) REQUIRE(contains(a, p) == x.contains(p));
  }
}

TEST_CASE("several unbounded variables end where their condition does") {
  const Rows rows = rows_of(
      pattern_of(
          "pattern p { A = diagonal; B = { i - 2^a * 3^b : a >= 0, b >= 0, 2^a * 3^b < i } }"),
      300);
  for (std::int64_t i = 1; i <= 300; ++i) {
    Positions smooth;
    for (std::int64_t d = 1; d < i; ++d) {
      std::int64_t rest = d;
      while (rest % 2 == 0) rest /= 2;
      while (rest % 3 == 0) rest /= 3;
      if (rest == 1) smooth.insert(i - d);
    }
    REQUIRE(row_of(rows.b, i) == smooth);
  }
}

TEST_CASE("a position outside the row is reported, never dropped") {
  const auto violation = [](const char* b) {
    const MaterializeResult result =
        materialize(pattern_of(std::string("pattern p { A = diagonal; B = ") + b + " }"), 100);
    REQUIRE(std::holds_alternative<RowViolation>(result));
    return std::get<RowViolation>(result);
  };
  REQUIRE(violation("{ i - 1 }").row == 1);
  REQUIRE(violation("{ i - 3 : i >= 3 }").row == 3);
  REQUIRE(violation("{ i - 3 : i >= 3 }").position == Integer(0));
  REQUIRE(violation("{ i : i > 40 }").row == 41);
  REQUIRE(violation("{ 2 * k : k in 0..9, 2 * k < i + 5 }").row == 1);
}

TEST_CASE("a row without a value is an error with its reason") {
  const MaterializeResult result = materialize(
      pattern_of("pattern p { A = diagonal; B = { i - 1 : i > 1, floor(6 / (i - 5)) > 0 } }"), 100);
  REQUIRE(std::holds_alternative<Error>(result));
  REQUIRE(std::get<Error>(result).message == "row 5 of B has no value: division by zero");
}

// A constant of more than 64 bits in a set keeps it from being computed in words.
TEST_CASE("sets computed in 64-bit words are those of exact integers, to their very ends") {
  std::mt19937_64 random(11);
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  const auto term = [&](const auto& self, int depth) -> std::string {
    if (depth == 0) {
      return pick({"i", "t", "u", "p", "0", "1", "2", "3", "7", "-1", "62", "4611686018427387904",
                   "9223372036854775807", "(-9223372036854775807 - 1)"});
    }
    const std::string x = self(self, depth - 1), y = self(self, depth - 1);
    return pick({"(" + x + " + " + y + ")", "(" + x + " - " + y + ")", "(" + x + " * " + y + ")",
                 "(" + x + " mod " + y + ")", "floor(" + x + " / " + y + ")",
                 "ceil(" + x + " / " + y + ")", "(-" + x + ")", "abs(" + x + ")",
                 "min(" + x + ", " + y + ")", "max(" + x + ", " + y + ", t)",
                 "sqrt(abs(" + x + "))", "sqrt(" + x + ")", "log2(" + x + ")",
                 "popcount(" + x + ")", "lowbit(" + x + ")", "f(" + x + ")", "g(" + x + ")",
                 "2^min(abs(" + x + "), 66)", "(" + x + ")^min(abs(" + y + "), 9)"});
  };
  const auto condition = [&]() {
    const std::string x = term(term, 1), y = term(term, 1);
    const std::string one = x + pick({" < ", " <= ", " > ", " >= ", " = ", " != "}) + y;
    return pick({one, "not " + one, one + " or i > t", one + " and u < i"});
  };
  int valued = 0, missing = 0;
  for (int round = 0; round < 400; ++round) {
    const std::string set = "{ " + term(term, static_cast<int>(random() % 3)) + " : t in " +
                            pick({"0..3", "1..p", "-2..2", "max(0, i - 3)..i", "f(2)..f(2) + 2"}) +
                            ", u in " + pick({"0..1", "t..t + 1", "i - 1..i"}) + ", " + condition();
    const std::string head =
        "pattern p(p = 5) { f(k) = k^2 + 1; g(0) = 1; g(1) = 2; g(k+2) = g(k+1) + g(k)\n"
        "A = diagonal; B = ";
    const Pattern words = pattern_of(head + set + " } }");
    const Pattern exact = pattern_of(head + set + ", i < 99999999999999999999 } }");
    const Evaluator in_words(words), in_integers(exact);
    for (const std::int64_t i :
         {std::int64_t{1}, std::int64_t{2}, std::int64_t{9}, std::int64_t{64},
          (std::int64_t{1} << 59) + 7, (std::int64_t{1} << 60) - 1}) {
      INFO(set << " at " << i);
      const Result<Row> left = in_words.row(Side::kB, i), right = in_integers.row(Side::kB, i);
      REQUIRE(left.ok() == right.ok());
      ++(left.ok() ? valued : missing);
      if (left.ok()) {
        REQUIRE(left->positions == right->positions);
      } else {
        REQUIRE(left.error().message == right.error().message);
      }
    }
  }
  REQUIRE(valued > 500);
  REQUIRE(missing > 100);
}

TEST_CASE("rows too far out to be listed are refused, not cut short") {
  const Pattern pattern =
      pattern_of("pattern p { A = diagonal; B = { i - 2^t : t >= 0, 2^t < i } }");
  const Evaluator rows(pattern);
  constexpr std::int64_t kFirst = std::int64_t{1} << 60;
  CHECK(count_of(rows.row(Side::kB, kFirst - 1)->positions) == 60);
  for (const std::int64_t i : {kFirst, kFirst + 1, INT64_MAX}) {
    CHECK_FALSE(rows.row(Side::kA, i).ok());
    CHECK_FALSE(rows.row(Side::kB, i).ok());
  }
}
