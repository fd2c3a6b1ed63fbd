// SPDX-License-Identifier: Apache-2.0
// Causality against brute force: a proof must never meet a row that reads outside its range, and a
// rejection must name the first row that does.
#include "analyzer/proof/causality.hpp"

#include "patterns/builtin_patterns.hpp"
#include "patterns/parser.hpp"
#include "tests/catch.hpp"

using namespace heddle;
using Status = CausalityVerdict::Status;

namespace {

Pattern pattern_of(const std::string& text) {
  Diagnostics diagnostics;
  const Source source{"test", text};
  std::vector<PatternSyntax> parsed = parse(source, diagnostics);
  INFO(render(diagnostics, source));
  REQUIRE(!diagnostics.has_errors());
  std::optional<Pattern> pattern = resolve(parsed.at(0), {}, diagnostics);
  INFO(render(diagnostics, source));
  REQUIRE(pattern.has_value());
  return *pattern;
}

Pattern with_sets(const std::string& a, const std::string& b, const std::string& functions = "") {
  return pattern_of("pattern p {\n" + functions + "\nA = " + a + "\nB = " + b + "\n}\n");
}

// The first row up to n that reads outside its range or has no value.
std::optional<std::int64_t> first_bad_row(const Pattern& pattern, std::int64_t n) {
  const Evaluator evaluator(pattern);
  for (std::int64_t i = 1; i <= n; ++i) {
    for (const Side side : {Side::kA, Side::kB}) {
      const auto row = evaluator.row(side, i);
      if (!row.ok() || row.value().violation) return i;
    }
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("every built-in pattern is proved causal") {
  for (const BuiltinPattern& builtin : builtin_patterns()) {
    const Pattern pattern = pattern_of(std::string(builtin.text));
    const CausalityVerdict verdict = prove_causal(pattern);
    INFO(builtin.name << ": " << verdict.message);
    CHECK(verdict.status == Status::kProved);
    CHECK(!verdict.rule.empty());
    CHECK(first_bad_row(pattern, 200) == std::nullopt);
  }
}

TEST_CASE("comprehensions are proved causal by query") {
  const std::vector<Pattern> patterns = {
      with_sets("{ i }", "{ i - f(k) : k >= 0, f(k) < i }", "f(k) = k^3 + 2*k + 1"),
      with_sets("{ 4 * floor(i / 4) : i >= 4 } | diagonal", "none"),
      with_sets("{ max(1, i - 7)..i }", "{ 1..min(4, i - 1) }"),
      with_sets("diagonal", "{ floor(i / 2) : i >= 2 }"),
      with_sets("diagonal", "{ i - lowbit(i) : lowbit(i) < i }"),
      with_sets("diagonal", "{ i - 8 * t : t in 0..4 } & window(64)"),
      with_sets("diagonal", "offsets(f) - window(3)", "f(k) = 3^k"),
      with_sets("diagonal", "lattice(p)", "p(0) = 1\np(1) = 2\np(k+2) = 2*p(k+1) + p(k)"),
      with_sets("diagonal", "{ i - s*t - r : s >= 1, t >= 1, r in 0..2, s*t + 2 < i }"),
      with_sets("diagonal", "{ a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i }",
                "f(k) = k^2 + 1\na(0) = 1\na(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))"),
      with_sets("diagonal",  // written differently, so no rule but the query applies
                "{ a(k) * ceil((i - f(k)) / a(k)) : k >= 0, i > f(k) }",
                "f(k) = k^2 + 1\na(0) = 1\na(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))"),
  };
  for (const Pattern& pattern : patterns) {
    const CausalityVerdict verdict = prove_causal(pattern);
    INFO(pattern.canonical_text() << verdict.message);
    CHECK(verdict.status == Status::kProved);
    CHECK(first_bad_row(pattern, 200) == std::nullopt);
  }
}

TEST_CASE("a pattern that is not causal is rejected with its first bad row") {
  const auto rejected_at = [](const Pattern& pattern) {
    const CausalityVerdict verdict = prove_causal(pattern);
    INFO(pattern.canonical_text() << verdict.message);
    CHECK(verdict.status == Status::kRejected);
    REQUIRE(verdict.violation.has_value());
    CHECK(std::optional(verdict.violation->row) == first_bad_row(pattern, 2000));
    return std::pair(verdict.violation->row, *verdict.violation->position.to_int64());
  };
  CHECK(rejected_at(with_sets("diagonal", "diagonal")) ==
        std::pair<std::int64_t, std::int64_t>(1, 1));
  CHECK(rejected_at(with_sets("diagonal", "{ i - 3 }")) ==
        std::pair<std::int64_t, std::int64_t>(1, -2));
  CHECK(rejected_at(with_sets("diagonal", "{ i - 3 : i > 2 }")) ==
        std::pair<std::int64_t, std::int64_t>(3, 0));
  CHECK(rejected_at(with_sets("{ i + 1 : i > 1000 } | diagonal", "none")) ==
        std::pair<std::int64_t, std::int64_t>(1001, 1002));
  CHECK(rejected_at(with_sets("diagonal", "{ i - k^2 : k >= 1, k^2 <= i }")) ==
        std::pair<std::int64_t, std::int64_t>(1, 0));
  CHECK(rejected_at(
            with_sets("diagonal", "{ a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i }",
                      "f(k) = k^2 + 1\na(0) = 2\na(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))")) ==
        std::pair<std::int64_t, std::int64_t>(2, 2));
}

TEST_CASE("functions of offsets and lattices must increase from at least 1") {
  const auto message = [](const std::string& b, const std::string& functions) {
    const CausalityVerdict verdict = prove_causal(with_sets("diagonal", b, functions));
    CHECK(verdict.status == Status::kRejected);
    return verdict.message;
  };
  CHECK(message("offsets(f)", "f(k) = k^2").find("at least 1") != std::string::npos);
  CHECK(message("offsets(f)", "f(k) = floor(k / 2) + 1").find("increase strictly") !=
        std::string::npos);
  // f = 2, 3, 6, 11, ...: row 2 reads nothing, so row 3 needs position 1, which was dropped.
  const std::string late = message("lattice(f)", "f(k) = k^2 + 2");
  CHECK(late.find("needs f(0) = 1, not 2: row 3 reads position 1, which the cache lost at row 2") !=
        std::string::npos);
}
