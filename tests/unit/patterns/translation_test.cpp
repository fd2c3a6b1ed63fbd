// SPDX-License-Identifier: Apache-2.0
// Tables kept as one set of distances against rows evaluated one by one.
#include "patterns/translation.hpp"

#include <string>

#include "tests/unit/patterns/support.hpp"

using namespace heddle;
using namespace heddle::test;

namespace {

Pattern reading(const std::string& a, const std::string& b) {
  return pattern_of("pattern p(s = 3) {\nf(k) = k^2 + 1\nA = " + a + "\nB = " + b + "\n}");
}

// Both tables, position by position and through every accessor.
void check_rows(const Pattern& pattern, std::int64_t n) {
  const Rows rows = rows_of(pattern, n);
  const Evaluator evaluator(pattern);
  for (const Side side : {Side::kA, Side::kB}) {
    const RowTable& table = side == Side::kA ? rows.a : rows.b;
    REQUIRE(table.rows() == n);
    std::int64_t total = 0;
    for (std::int64_t i = 1; i <= n; ++i) {
      INFO("row " << i);
      const IntervalList expected = evaluator.row(side, i)->positions;
      const RowView view = table.row(i);
      REQUIRE(IntervalList(view.begin(), view.end()) == expected);
      REQUIRE(view.size() == expected.size());
      REQUIRE(table.size(i) == count_of(expected));
      total += count_of(expected);
      for (std::size_t e = 0; e < expected.size(); ++e) {
        REQUIRE(view[e] == expected[e]);
        REQUIRE(view.begin()[static_cast<std::ptrdiff_t>(e)].low == expected[e].low);
        REQUIRE((view.rbegin() + static_cast<std::ptrdiff_t>(e))->high ==
                expected[expected.size() - 1 - e].high);
      }
      for (std::int64_t p = 0; p <= i + 1; ++p) {
        REQUIRE(table.contains(i, p) == contains(expected, p));
      }
    }
    CHECK(table.total() == total);
  }
}

}  // namespace

TEST_CASE("rows that are translates by their text are those evaluated one by one") {
  const char* const a[] = {"diagonal",
                           "none",
                           "dense",
                           "window(4)",
                           "diagonal | offsets(f)",
                           "window(9) | { i - s * t : t >= 1, s * t < i }",
                           "dense - window(2)"};
  const char* const b[] = {"none",
                           "dense",
                           "window(5) | offsets(f)",
                           "offsets(f) - window(3)",
                           "offsets(f) & { i - s * t : t >= 1, i > s * t }",
                           "{ i - (t + 2) : t in 1..6, t + 2 < i }",
                           "{ i - s * t : t >= 1, i - s * t >= 1 } | { i - 7 : 7 < i }",
                           "{ i - 1 : i >= 2 } | { i - 6 : i >= 7 }",
                           "{ i - 2 ^ t : t in 1..20, 2 ^ t < i and t mod 2 = 1 }"};
  for (const char* inputs : a) {
    for (const char* outputs : b) {
      const Pattern pattern = reading(inputs, outputs);
      INFO(inputs << " / " << outputs);
      CHECK(reads_translates(pattern, Side::kA));
      CHECK(reads_translates(pattern, Side::kB));
      CHECK(rows_of(pattern, 9).b.distances() != nullptr);
      check_rows(pattern, 60);
    }
  }
}

TEST_CASE("other rows are not taken for translates") {
  for (const char* outputs :
       {"lattice(f)", "{ i - 2 : i > 3 }", "{ i - s * t : t >= 1, s * t + 1 < i }",
        "{ i - t : t >= 1, t < i, i mod 2 = 0 }", "{ s * t : t >= 1, s * t < i }",
        "{ max(1, i - 4)..i - 1 }", "{ i - t : t >= 1, 2 * t < i }",
        "{ i - t : t in 1..i - 1, t < i }", "{ 1 : 1 < i }", "window(2) | lattice(f)",
        "{ i - min(t, i - 1) : t in 1..9, t < i }"}) {
    INFO(outputs);
    const Pattern pattern = reading("diagonal", outputs);
    CHECK_FALSE(reads_translates(pattern, Side::kB));
    CHECK(rows_of(pattern, 9).b.distances() == nullptr);
    check_rows(pattern, 40);
  }
}

TEST_CASE("the first row at fault is found, not the last") {
  const MaterializeResult zero = materialize(reading("diagonal", "window(2) | diagonal"), 50);
  REQUIRE(std::holds_alternative<RowViolation>(zero));
  CHECK(std::get<RowViolation>(zero).row == 1);
  const MaterializeResult ahead = materialize(
      reading("{ i - (t - 9) : t in 9..20, t - 9 < i } | { i - (t - 9) : t in 1..2, t - 9 < i }",
              "none"),
      50);
  REQUIRE(std::holds_alternative<RowViolation>(ahead));
  CHECK(std::get<RowViolation>(ahead).row == 1);
}
