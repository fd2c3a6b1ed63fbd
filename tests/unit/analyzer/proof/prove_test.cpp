// SPDX-License-Identifier: Apache-2.0
// Verdicts on claims against brute force: nothing proved may fail at any row that can be computed,
// nothing refuted may hold, and a counterexample is the smallest one.
#include "analyzer/proof/prove.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "analyzer/measures/cost.hpp"
#include "analyzer/measures/hops.hpp"
#include "analyzer/rules/liveness.hpp"
#include "patterns/ast_print.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using heddle::testing::builtin;
using heddle::testing::pattern_of;
using heddle::testing::rows_of;

namespace {

std::string verdict_of(const std::string& body) {
  const ProofReport report = prove(pattern_of(body));
  INFO(body << "\n" << report.causality.message);
  REQUIRE(report.claims.size() == 1);
  const ClaimVerdict& claim = report.claims[0];
  return name_of(claim.verdict) + (claim.scope.empty() ? "" : ": " + claim.scope);
}

// Every claim on time or cache of one row, recomputed here from rows 1..n.
void check_against_rows(const Pattern& pattern, const ProofReport& report, std::int64_t n) {
  const Rows rows = rows_of(pattern, n);
  const std::vector<std::int64_t> time = time_by_row(rows);
  const auto cache = cache_by_row(pattern, rows);
  const Evaluator evaluator(pattern);
  for (std::size_t at = 0; at < report.claims.size(); ++at) {
    const auto* claim = std::get_if<BoundClaim>(&pattern.claims()[at].node);
    if (claim == nullptr || report.claims[at].text.find("hops") != std::string::npos) continue;
    std::optional<std::int64_t> first_failure;
    for (std::int64_t i = 1; i <= n && !first_failure; ++i) {
      const MeasureOracle oracle = [&](MeasureKind kind, const std::vector<Integer>& arguments) {
        const auto row = static_cast<std::size_t>(*arguments.at(0).to_int64() - 1);
        return Result<Integer>(kind == MeasureKind::kTime ? time.at(row)
                                                          : cache.value().size.at(row));
      };
      const Integer left = evaluator.evaluate(*claim->left, {{"i", i}}, oracle).value();
      const Integer right = evaluator.evaluate(*claim->right, {{"i", i}}, oracle).value();
      const bool holds = claim->op == ComparisonOperator::kLessEqual      ? left <= right
                         : claim->op == ComparisonOperator::kGreaterEqual ? left >= right
                                                                          : left == right;
      if (!holds) first_failure = i;
    }
    INFO(pattern.canonical_text() << report.claims[at].text << " " << report.claims[at].scope);
    const Verdict& verdict = report.claims[at].verdict;
    if (std::holds_alternative<Proved>(verdict)) CHECK(first_failure == std::nullopt);
    if (const auto* checked = std::get_if<Checked>(&verdict)) {
      CHECK((!first_failure || *first_failure > checked->n));
    }
    if (const auto* refuted = std::get_if<Refuted>(&verdict)) {
      const auto found = refuted->counterexample.variables.at(0).second.to_int64();
      if (refuted->smallest && *found <= n) CHECK(found == first_failure);
    }
  }
}

}  // namespace

TEST_CASE("every claim of every built-in pattern is proved, and time and cache get classes") {
  for (const BuiltinPattern& found : builtin_patterns()) {
    const Pattern pattern = builtin(std::string(found.name));
    const ProofReport report = prove(pattern);
    for (const ClaimVerdict& claim : report.claims) {
      INFO(found.name << ": " << claim.text << " " << claim.scope);
      CHECK(std::string(name_of(claim.verdict)) == "proved");
    }
    check_against_rows(pattern, report, 300);
  }
}

TEST_CASE("classes are derived with constants that are proved") {
  const auto classes = [](const std::string& name) {
    const DerivedBounds bounds = derive(builtin(name));
    REQUIRE(bounds.time.upper);
    REQUIRE(bounds.cache.upper);
    return to_string(*bounds.time.upper) + " " + to_string(*bounds.cache.upper);
  };
  CHECK(classes("attention") == "O(n) O(n)");
  CHECK(classes("local_attention") == "O(1) O(1)");
  CHECK(classes("log_recurrence") == "O(log n) O(n)");
  CHECK(classes("log_cached") == "O(log n) O(log n)");
  CHECK(classes("sqrt_recurrence") == "O(sqrt n) O(n)");
  CHECK(classes("sqrt_cached") == "O(sqrt n) O(sqrt n)");
  CHECK(classes("fibonacci_cached") == "O(log n) O(log n)");
  for (const std::string f : {"3^k", "5^k", "7^k"}) {
    const DerivedBounds powers = derive(pattern_of("f(k) = " + f + "\nA = none\nB = offsets(f)"));
    REQUIRE(powers.time.lower);
    CHECK(to_string(*powers.time.lower) == "O(log n)");
    CHECK(powers.time.lower == powers.time.upper);
  }
  // Both sides of classes that the solver finds with the products of count_hints only.
  for (const auto& [f, set, expected] :
       std::vector<std::array<std::string, 3>>{{"5 * k^2 + 1", "offsets", "O(sqrt n)"},
                                               {"(k + 1) * 2^k", "offsets", "O(log n)"},
                                               {"2 * k^2 + 1", "lattice", "O(sqrt n)"},
                                               {"k^3 + 1", "lattice", "O(n^(1/3))"}}) {
    const DerivedBounds bounds =
        derive(pattern_of("f(k) = " + f + "\nA = diagonal\nB = " + set + "(f)"));
    INFO(f);
    REQUIRE((bounds.time.upper && bounds.time.lower));
    CHECK(to_string(*bounds.time.upper) == expected);
    CHECK(bounds.time.lower == bounds.time.upper);
    if (set == "lattice") CHECK(bounds.cache.lower == bounds.time.upper);
  }
  CHECK(derive(pattern_of("f(k) = 5 * k^2 + 1\nA = diagonal\nB = offsets(f)")).time.closed_form ==
        "sqrt(floor((i - 2) / 5)) + 2 for i >= 2");
  CHECK(derive(builtin("sqrt_recurrence")).time.closed_form == "sqrt(i - 2) + 2 for i >= 2");
  CHECK(derive(builtin("sqrt_recurrence")).time.lower ==
        derive(builtin("sqrt_recurrence")).time.upper);
}

TEST_CASE("the claims of the language's first pattern are proved for all rows") {
  const std::string text = "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n";
  CHECK(verdict_of(text + "claim time(i) <= sqrt(i) + 2") == "proved: all i");
  CHECK(verdict_of(text + "claim cache(i) <= sqrt(i) + 2") == "proved: all i");
  CHECK(verdict_of(text + "claim reaches(i, j)") == "proved: all i, j");
  const std::string by_hand =
      "f(k) = k^2 + 1\na(0) = 1\na(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))\nA = { i }\n"
      "B = { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i }\n";
  CHECK(verdict_of(by_hand + "claim cache(i) <= sqrt(i) + 2") == "proved: all i");
}

TEST_CASE("false claims are refuted at the smallest row") {
  const std::string cached = "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n";
  CHECK(verdict_of(cached + "claim time(i) <= sqrt(i) + 1") == "refuted: i = 3");
  const std::string logs = "f(k) = 2^k\nA = diagonal\nB = offsets(f)\n";
  CHECK(verdict_of(logs + "claim hops(i, j) <= log2(i - j)") == "refuted: i = 2, j = 1");
  CHECK(verdict_of(logs + "claim hops(i, j) <= log2(i - j) + 1") == "proved: all i, j");
  CHECK(verdict_of(logs + "claim time(i) <= 12") == "refuted: i = 2049");
  CHECK(verdict_of(logs + "claim cache(i) in O(log n)") == "refuted: i = 1024");
  const std::string roots = "f(k) = k^2 + 1\nA = diagonal\nB = offsets(f)\n";
  CHECK(verdict_of(roots + "claim time(i) <= 100") == "refuted: i = 9803");
  CHECK(verdict_of(roots + "claim time(i) <= 500") == "refuted: i = 249003");
  CHECK(verdict_of(roots + "claim hops(i, j) <= 3") == "refuted: i = 59, j = 1");
  CHECK(verdict_of("A = diagonal\nB = { i - 2 : i > 2 }\nclaim reaches(i, j)") ==
        "refuted: i = 2, j = 1");
  CHECK(verdict_of("A = window(4)\nB = none\nclaim reaches(i, j)") == "refuted: i = 5, j = 1");
}

TEST_CASE("a cache without a rule is refuted from below, and proved of nothing") {
  const std::string text =
      "f(k) = 3*k^2 + 2*k + 1\nA = diagonal\nB = offsets(f) & { i - 5*t - 1 : t >= 0, 5*t + 1 < i "
      "}\n";
  const Pattern pattern =
      pattern_of(text +
                 "claim cache(i) <= 3*sqrt(i) + 10\nclaim cache(i) <= 2 + cache(1)\n"
                 "claim cache(i) = 1");
  const ProofReport report = prove(pattern);
  const auto* refuted = std::get_if<Refuted>(&report.claims[0].verdict);
  REQUIRE(refuted != nullptr);
  CHECK_FALSE(refuted->smallest);  // later rows may read more of an earlier one
  // So many positions are read by rows up to 4,000, one by one.
  const std::int64_t i = *refuted->counterexample.variables[0].second.to_int64();
  const Rows rows = rows_of(pattern, 4000);
  std::set<std::pair<bool, std::int64_t>> live;
  for (std::int64_t row = i + 1; row <= 4000; ++row) {
    for (std::int64_t p = 1; p <= i; ++p) {
      if (rows.a.contains(row, p)) live.emplace(false, p);
      if (rows.b.contains(row, p)) live.emplace(true, p);
    }
  }
  CHECK(refuted->counterexample.value == Integer(static_cast<std::int64_t>(live.size())));
  CHECK(refuted->counterexample.bound < refuted->counterexample.value);
  // From below nothing is learnt of these.
  CHECK(std::string(name_of(report.claims[1].verdict)) == "unknown");
  CHECK(std::string(name_of(report.claims[2].verdict)) == "unknown");
}

TEST_CASE("powers of one base are bounded by powers of another from both sides") {
  const auto verdict = [](const std::string& f, const std::string& claim) {
    return verdict_of("f(k) = " + f + "\nA = none\nB = offsets(f)\nclaim " + claim);
  };
  CHECK(verdict("3^k", "log2(i) <= 2 * time(i) + 1") == "proved: all i");
  CHECK(verdict("7^k", "3 * time(i) >= log2(i) - 1") == "proved: all i");
  CHECK(verdict("8^k", "3 * time(i) >= log2(i) - 1") == "proved: all i");
  // 5 is between 2^2 and 2^3: two steps a power are too few, somewhere.
  CHECK(verdict("5^k", "log2(i) <= 2 * time(i) + 2").rfind("proved", 0) == std::string::npos);
  CHECK(verdict("5^k", "log2(i) <= 3 * time(i) + 2") == "proved: all i");
}

TEST_CASE("a claim that has no value somewhere is unknown") {
  CHECK(verdict_of("A = diagonal\nB = none\nclaim time(i) <= log2(i - 1) + 5") == "unknown");
  CHECK(verdict_of("A = diagonal\nB = window(2)\nclaim time(i - j) <= floor(i / (i - j - 1))") ==
        "unknown");
}

TEST_CASE("the theorem taken on trust for k^2 + 1 holds as far as one can look") {
  const ProofReport report = prove(builtin("sqrt_recurrence"));
  bool assumed = false;
  for (const ClaimVerdict& claim : report.claims) {
    const auto* proved = std::get_if<Proved>(&claim.verdict);
    REQUIRE(proved);
    const bool on_hops = claim.text == "hops(i, j) <= 4";
    CHECK(proved->assumes.size() == (on_hops ? 1u : 0u));
    assumed = assumed || on_hops;
  }
  CHECK(assumed);
  // Fewest terms k^2 + 1 that sum to each distance.
  constexpr std::size_t kFar = 100'000;
  std::vector<int> terms(kFar + 1, 0);
  for (std::size_t distance = 1; distance <= kFar; ++distance) {
    int fewest = 99;
    for (std::size_t k = 0; k * k + 1 <= distance; ++k) {
      fewest = std::min(fewest, terms[distance - k * k - 1] + 1);
    }
    terms[distance] = fewest;
  }
  CHECK(*std::max_element(terms.begin(), terms.end()) == 4);
}

TEST_CASE("capacity laws and depth") {
  const std::string cached = "f(k) = 2^k\nA = diagonal\nB = lattice(f)\n";
  CHECK(verdict_of(cached + "claim congestion(n) * cache(n) >= n") == "proved: all n");
  CHECK(verdict_of(cached + "claim rank(m) <= cache(m)") == "proved: all m");
  CHECK(verdict_of(cached + "claim depth(n) = n - 1") == "proved: all n");
  CHECK(verdict_of(cached + "claim rank(m) <= 3") == "refuted: m = 8");
}

TEST_CASE("other sequences: cubes, powers of three, triangular, Pell, sparse squares, strides") {
  const auto with = [](const std::string& functions, const std::string& b) {
    return functions + "\nA = diagonal\nB = " + b + "\n";
  };
  const std::string cubes = with("f(k) = k^3 + 1", "lattice(f)");
  CHECK(verdict_of(cubes + "claim time(i) in O(n^(1/3))") == "proved: all i");
  const std::string threes = with("f(k) = 3^k", "lattice(f)");
  CHECK(verdict_of(threes + "claim time(i) <= log2(i) + 2") == "proved: all i");
  const std::string triangular = with("t(0) = 1\nt(k+1) = t(k) + k + 2", "lattice(t)");
  CHECK(verdict_of(triangular + "claim cache(i) <= sqrt(2 * i) + 1") == "proved: all i");
  const std::string pell = with("p(0) = 1\np(1) = 2\np(k+2) = 2*p(k+1) + p(k)", "lattice(p)");
  CHECK(verdict_of(pell + "claim time(i) <= log2(i) + 2") == "proved: all i");
  const std::string sparse = with("f(k) = 5*k^2 + 1", "lattice(f)");
  CHECK(verdict_of(sparse + "claim cache(i) <= sqrt(i) + 1") == "proved: all i");
  const std::string strides = with("", "window(4) | { i - 16*t : t >= 1, 16*t < i }");
  CHECK(verdict_of(strides + "claim time(i) = min(i, 5) + floor((i - 1) / 16)") == "proved: all i");
}

TEST_CASE("random patterns and claims agree with brute force") {
  std::mt19937 random(7);
  const auto pick = [&](std::vector<std::string> from) { return from[random() % from.size()]; };
  const auto number = [&](int low, int high) {
    return std::to_string(low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1)));
  };
  int proved = 0, refuted = 0;
  for (int round = 0; round < 24; ++round) {
    const std::string functions = pick({"f(k) = k^2 + 1", "f(k) = 2^k", "f(k) = 3 * k + 1",
                                        "f(k) = " + number(1, 5) + " * k^2 + k + 1",
                                        "f(0) = 1\nf(k+1) = 2 * f(k) + " + number(0, 2)});
    const auto set = [&]() {
      return pick({"window(" + number(1, 9) + ")", "offsets(f)", "lattice(f)", "none",
                   "{ i - " + number(1, 4) + "*t : t >= 1, " + number(4, 6) + "*t < i }",
                   "{ i - t^2 : t in 1.." + number(1, 5) + ", t^2 < i }",
                   "{ " + number(2, 6) + "*t : t >= 1, 6*t < i }"});
    };
    const std::string b = set() + pick({" | ", " & ", " - "}) + set();
    const std::string claim =
        pick({"time(i)", "cache(i)"}) + pick({" <= ", " >= ", " = "}) +
        pick({"sqrt(i) + " + number(0, 8), "log2(i) + " + number(0, 6),
              "min(i, " + number(2, 9) + ")", "floor(i / " + number(2, 6) + ") + " + number(1, 12),
              number(1, 20), "i", "sqrt(i) + log2(i) + " + number(1, 6)});
    const Pattern pattern =
        pattern_of(functions + "\nA = " + pick({"diagonal", "window(3)", "dense"}) + "\nB = " + b +
                   "\nclaim " + claim);
    ProveOptions quick;
    quick.check_up_to = 128;
    quick.resource_limit = 100'000;
    const ProofReport report = prove(pattern, quick);
    if (report.causality.status != CausalityVerdict::Status::kProved) continue;
    proved += std::holds_alternative<Proved>(report.claims[0].verdict) ? 1 : 0;
    refuted += std::holds_alternative<Refuted>(report.claims[0].verdict) ? 1 : 0;
    check_against_rows(pattern, report, 700);
  }
  CHECK(proved > 2);
  CHECK(refuted > 2);
}
