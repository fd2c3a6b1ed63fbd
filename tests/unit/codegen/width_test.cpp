// SPDX-License-Identifier: Apache-2.0
// What a manifest says of the width of rows: no row is wider, however far one looks, and where the
// number is meant to be exact no caller is asked for more.
#include "codegen/row_width.hpp"

#include <algorithm>

#include "codegen/rows/width.hpp"
#include "patterns/builtin_patterns.hpp"
#include "patterns/materialize.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

constexpr std::int64_t kRows = 700;

// Columns against the widest row of 1..n, for every n; the largest difference.
std::int64_t slack(const RowWidth& width, const RowTable& table) {
  std::int64_t widest = 0;
  std::int64_t most = 0;
  for (std::int64_t n = 1; n <= kRows; ++n) {
    widest = std::max(widest, table.size(n));
    const Result<std::int64_t> columns = width.columns(n);
    REQUIRE(columns.ok());
    INFO("row " << n);
    REQUIRE(*columns >= widest);
    most = std::max(most, *columns - widest);
  }
  return most;
}

Manifest given(const Pattern& pattern) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.weights = WeightKind::kGiven;
  options.exact_to = kRows;
  return artifact_of(pattern, options).manifest;
}

const char* const kOwn = R"(
pattern bounded { A = diagonal
  B = { i - 7 * t : t in 1..5, 7 * t < i } | window(3) }
pattern shifted { A = window(5) & dense
  B = { i - (t^2 + 2 * t + 3) : t >= 2, t^2 + 2 * t + 3 < i } }
pattern recursive { f(0) = 3
  f(k + 1) = 3 * f(k)
  A = { i - f(k) : k >= 1, f(k) < i } | { i }
  B = offsets(f) - window(4) }
pattern uneven { A = dense
  B = { i - k : k >= 1, k < i, k mod 3 = 1 } | { floor(i / 2) : i >= 2 } }
pattern divided { A = diagonal
  B = { floor(i / (k + 2)) : k >= 0, k + 2 <= i } }
)";

}  // namespace

TEST_CASE("no row of a built-in pattern is wider than its manifest says") {
  for (const BuiltinPattern& builtin_pattern : builtin_patterns()) {
    const Pattern pattern = builtin(std::string(builtin_pattern.name));
    const Manifest manifest = given(pattern);
    const Rows rows = std::get<Rows>(materialize(pattern, kRows));
    INFO(pattern.name());
    CHECK(manifest.width_a.exact_to == 0);  // holds for every length
    CHECK(manifest.width_b.exact_to == 0);
    const bool lattice = pattern.name().find("_cached") != std::string::npos;
    CHECK(slack(manifest.width_a, rows.a) == 0);
    const std::int64_t spare = slack(manifest.width_b, rows.b);
    if (!lattice) CHECK(spare == 0);
  }
}

TEST_CASE("widths of other patterns are bounds, counted where no form is known") {
  std::vector<std::string> counted;
  for (const char* name : {"bounded", "shifted", "recursive", "uneven", "divided"}) {
    const std::string text = kOwn;
    const std::size_t at = text.find(std::string("pattern ") + name);
    const Pattern pattern = pattern_of(text.substr(at, text.find("}\npattern", at) - at + 2));
    const Manifest manifest = given(pattern);
    const Rows rows = std::get<Rows>(materialize(pattern, kRows));
    INFO(name);
    slack(manifest.width_a, rows.a);
    const std::int64_t spare = slack(manifest.width_b, rows.b);
    if (manifest.width_b.exact_to == 0) continue;
    counted.emplace_back(name);
    CHECK(spare == 0);
    CHECK_FALSE(manifest.width_b.columns(kRows + 1).ok());
  }
  CHECK(counted == std::vector<std::string>{"divided"});
}

TEST_CASE("counts are right up to the longest sequence") {
  EntryCount squares;
  squares.polynomial = {1, 0, 1};
  CHECK(squares.upto(0) == 0);
  CHECK(squares.upto(1) == 0);
  CHECK(squares.upto(2) == 1);
  CHECK(squares.upto(5) == 2);
  CHECK(squares.upto(6) == 3);
  CHECK(squares.upto(kLongestSequence) == 46341);  // 46340^2 + 1 < 2^31 - 1 <= 46341^2 + 1
  EntryCount far;
  far.polynomial = {kLongestSequence, kLongestSequence, kLongestSequence};
  CHECK(far.upto(kLongestSequence) == 0);
  EntryCount capped;
  capped.most = 64;
  CHECK(capped.upto(63) == 63);
  CHECK(capped.upto(kLongestSequence) == 64);
  EntryCount doubles;
  doubles.listed = {1, 2, 4, 8, kLongestSequence};
  CHECK(doubles.upto(8) == 3);
  CHECK(doubles.upto(kLongestSequence) == 4);
  CHECK_FALSE(RowWidth{}.columns(-1).ok());
  CHECK_FALSE(RowWidth{}.columns(kLongestSequence + 1).ok());
}

TEST_CASE("padded rows lie in as few sectors as they can") {
  for (std::int64_t columns = 0; columns < 100; ++columns) {
    const std::int64_t padded = padded_columns(columns);
    REQUIRE(padded >= columns);
    REQUIRE(padded < columns + 8);
    REQUIRE((padded % 8 == 0 || 8 % padded == 0));
  }
  CHECK(padded_columns(1) == 1);
  CHECK(padded_columns(3) == 4);
  CHECK(padded_columns(17) == 24);
}

}  // namespace heddle::test
