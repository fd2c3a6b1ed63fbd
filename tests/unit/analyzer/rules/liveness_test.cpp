// SPDX-License-Identifier: Apache-2.0
// Every liveness rule against a scan of many more rows than the rule looked at, on chosen sets and
// on random combinations of them.
#include <algorithm>
#include <random>

#include "analyzer/rules/liveness.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::builtin;
using testing::pattern_of;
using testing::rows_of;

constexpr std::int64_t kTokens = 40;
// Far enough for every reader that the sets below owe to a position up to kTokens.
constexpr std::int64_t kRowsScanned = 16 * kTokens;

struct Scanned {
  std::vector<std::vector<std::int64_t>> readers;  // of position p, at p - 1, ascending
  std::int64_t last(std::int64_t p) const {
    const auto& rows = readers[p - 1];
    return rows.empty() ? 0 : rows.back();
  }
};

Scanned scan(const RowTable& table, std::int64_t n) {
  Scanned result;
  result.readers.resize(static_cast<std::size_t>(n));
  for (std::int64_t r = 1; r <= table.rows(); ++r) {
    for_each_position(table, r, [&](std::int64_t p) {
      if (p <= n && p < r) result.readers[p - 1].push_back(r);
    });
  }
  return result;
}

// Whether the claim of the rule is what the first kRowsScanned rows show.
void check_rule(const Pattern& pattern, Side side) {
  const Liveness live = liveness(pattern, side);
  const Rows far = rows_of(pattern, kRowsScanned);
  const RowTable& table = side == Side::kA ? far.a : far.b;
  const Scanned scanned = scan(table, kTokens);
  INFO(pattern.canonical_text());
  INFO(name_of(live.retention) << ": " << live.rule);
  for (std::int64_t p = 1; p <= kTokens; ++p) {
    INFO("position " << p);
    switch (live.retention) {
      case Retention::kNothing:
        CHECK(scanned.last(p) == 0);
        break;
      case Retention::kEverything:
        CHECK(scanned.last(p) > 4 * kTokens);
        break;
      case Retention::kNextRow: {  // readers are p + 1, p + 2, .. without a gap
        const auto& readers = scanned.readers[p - 1];
        for (std::size_t e = 0; e < readers.size(); ++e) {
          CHECK(readers[e] == p + 1 + static_cast<std::int64_t>(e));
        }
        break;
      }
      case Retention::kHorizon:
        break;
    }
    if (live.reach) CHECK(scanned.last(p) <= p + *live.reach);
    if (live.offsets) {
      const std::int64_t farthest = live.offsets->empty() ? 0 : live.offsets->back().high;
      CHECK(scanned.last(p) == (farthest == 0 ? 0 : p + farthest));
    }
  }
}

// Cache sizes and last reads at n = kTokens against the scan.
void check_counts(const Pattern& pattern, Side side) {
  const Rows far = rows_of(pattern, kRowsScanned);
  const Rows rows = rows_of(pattern, kTokens);
  const Scanned scanned = scan(side == Side::kA ? far.a : far.b, kTokens);
  INFO(pattern.canonical_text());
  const auto sizes = cache_by_row(pattern, rows, side, kRowsScanned);
  REQUIRE(sizes.ok());
  for (std::int64_t i = 1; i <= kTokens; ++i) {
    std::int64_t live = 0;
    for (std::int64_t p = 1; p <= i; ++p) live += scanned.last(p) > i;
    INFO("row " << i);
    CHECK(sizes->size[i - 1] == live);
  }
  const auto last = last_reads(pattern, rows, side, kRowsScanned);
  REQUIRE(last.ok());
  for (std::int64_t p = 1; p <= kTokens; ++p) {
    INFO("position " << p);
    if (last->row[p - 1] == kReadForEver) {
      CHECK(scanned.last(p) > 4 * kTokens);
    } else {
      CHECK(last->row[p - 1] == scanned.last(p));
    }
  }
}

Retention retention_of(const std::string& body, Side side = Side::kB) {
  const Pattern pattern = pattern_of(body);
  check_rule(pattern, side);
  check_counts(pattern, side);
  return liveness(pattern, side).retention;
}

std::string on_b(const std::string& set, const std::string& functions = "") {
  return functions + "\nA = diagonal\nB = " + set;
}

TEST_CASE("every way to write a set is met by the right rule") {
  CHECK(retention_of(on_b("none")) == Retention::kNothing);
  CHECK(retention_of(on_b("none"), Side::kA) == Retention::kNothing);
  CHECK(retention_of("A = { i }\nB = none", Side::kA) == Retention::kNothing);
  CHECK(retention_of(on_b("dense")) == Retention::kEverything);
  CHECK(retention_of("A = dense\nB = none", Side::kA) == Retention::kEverything);
  CHECK(retention_of(on_b("window(5)")) == Retention::kNextRow);
  CHECK(retention_of("A = window(5)\nB = none", Side::kA) == Retention::kNextRow);
  CHECK(retention_of("A = window(1)\nB = none", Side::kA) == Retention::kNothing);
  CHECK(retention_of(on_b("{ i - 1 : i > 1 }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ i - 1 : i > 1 } | { i - 2 : i > 2 }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ i - 2 : i > 2 }")) == Retention::kHorizon);
  CHECK(liveness(pattern_of(on_b("{ i - 2 : i >= 3 }")), Side::kB).offsets == IntervalList{{2, 2}});
  CHECK_FALSE(liveness(pattern_of(on_b("{ i - 2 : i >= 4 }")), Side::kB).offsets);
  CHECK(retention_of(on_b("{ i - 1 : i > 1, i mod 3 = 0 }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ i - 2 : i > 2, i mod 3 = 0 }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ i - k : k in 1..4, k < i }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ i - k : k >= 1, k <= 4, k < i }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ i - 3*k : k in 1..4, 3*k < i }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ max(1, i - 6)..i - 1 }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ 4 * floor((i - 1) / 4) + 1..i - 1 }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ 1..max(0, i - 3) }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ 1..i - 1 }")) == Retention::kEverything);
  CHECK(retention_of(on_b("{ 1..min(4, i - 1) }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ 5*t : t >= 1, 5*t < i }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ 5*t : t >= 1, 5*t < i - 3 }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ 5*t : t in 1..3, 5*t < i, i mod 2 = 0 }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ p : p in 1..i - 1, p mod 4 = 0 }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("{ p : p in max(1, i - 9)..i - 1, p mod 4 != 1 }")) ==
        Retention::kNextRow);
  CHECK(retention_of(on_b("{ p : p in 1..i - 1, (i - p) mod 4 = 0 }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ p : p in 1..i - 3, p mod 4 = 0 }")) == Retention::kHorizon);
  CHECK(retention_of(on_b("{ i - 5*t : t >= 1, 5*t < i }")) == Retention::kEverything);
  CHECK(retention_of(on_b("{ i - 5*t : t >= 1, i - 5*t >= 1 }")) == Retention::kEverything);
  CHECK(retention_of(on_b("{ i - t : t >= 1, t < i, t mod 3 = 1 }")) == Retention::kHorizon);
}

TEST_CASE("functions are seen to grow without bound") {
  for (const char* f :
       {"f(k) = 2^k", "f(k) = 3^k", "f(k) = k^2 + 1", "f(k) = k^3 + 1",
        "f(k) = floor(k*(k+1) / 2) + 1", "f(0) = 1, f(1) = 2, f(k+2) = f(k+1) + f(k)",
        "f(0) = 1, f(1) = 2, f(k+2) = 2*f(k+1) + f(k)", "f(0) = 1, f(k+1) = f(k) + k + 1"}) {
    CHECK(retention_of(on_b("offsets(f)", f)) == Retention::kEverything);
    CHECK(retention_of(on_b("lattice(f)", f)) == Retention::kNextRow);
    CHECK(retention_of(on_b("{ i - f(k) : k >= 0, f(k) < i }", f)) == Retention::kEverything);
  }
}

TEST_CASE("a lattice written out is a lattice only with its own recursion") {
  const std::string set = "{ a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i }";
  const std::string step = ", a(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))";
  CHECK(retention_of(on_b(set, "f(k) = k^2 + 1\na(0) = 1" + step)) == Retention::kNextRow);
  CHECK(retention_of(on_b(set, "f(k) = k^2 + 2\na(0) = 1" + step)) == Retention::kHorizon);
  CHECK(retention_of(on_b(set, "f(k) = k^2 + 1\na(0) = 1, a(k+1) = a(k)")) == Retention::kHorizon);
}

TEST_CASE("operations keep the rules that survive them") {
  CHECK(retention_of(on_b("window(3) | { 1..min(4, i - 1) }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("window(9) & { 3*t : t >= 1, 3*t < i }")) == Retention::kNextRow);
  CHECK(retention_of(on_b("dense & window(3)")) == Retention::kNextRow);
  CHECK(retention_of(on_b("dense - window(3)")) == Retention::kEverything);
  CHECK(retention_of(on_b("window(8) - window(3)")) == Retention::kHorizon);
  CHECK(retention_of(on_b("lattice(f) | { i - 7 : i > 7 }", "f(k) = 2^k")) == Retention::kHorizon);
}

TEST_CASE("no rule claims what random sets do not do") {
  std::mt19937 random(20260);
  const auto pick = [&](int bound) { return static_cast<int>(random() % bound); };
  const auto number = [&](int low, int count) { return std::to_string(low + pick(count)); };
  const auto atom = [&]() -> std::string {
    switch (pick(11)) {
      case 9: {
        const std::string s = number(2, 4);
        return "{ " + s + " * floor((i - 1) / " + s + ") + 1..i - 1 }";
      }
      case 0:
        return "window(" + number(1, 9) + ")";
      case 1:
        return "offsets(f)";
      case 2:
        return "lattice(f)";
      case 3: {
        const std::string c = number(1, 5);
        return "{ i - " + c + " : " + c + " < i }";
      }
      case 4: {
        const std::string c = number(1, 5);
        return "{ " + c + " : " + c + " < i }";
      }
      case 5: {
        const std::string s = number(2, 4);
        return "{ " + s + "*t : t >= 1, " + s + "*t < i }";
      }
      case 6: {
        const std::string s = number(2, 4);
        return "{ i - " + s + "*t : t >= 1, " + s + "*t < i }";
      }
      case 7:
        return "{ max(1, i - " + number(1, 9) + ")..i - 1 }";
      case 8:
        return "{ 1..min(" + number(1, 9) + ", i - 1) }";
      default:
        return "{ i - t^2 : t in 1.." + number(1, 3) + ", t^2 < i }";
    }
  };
  const char* functions[] = {"f(k) = 2^k", "f(k) = k^2 + 1", "f(k) = 3^k",
                             "f(k) = floor(k*(k+1) / 2) + 1"};
  int rules = 0;
  for (int round = 0; round < 120; ++round) {
    std::string set = atom();
    for (int more = pick(3); more > 0; --more) {
      const char* operators[] = {" | ", " | ", " & ", " - "};
      set = "(" + set + ")" + operators[pick(4)] + atom();
    }
    const Retention retention = retention_of(on_b(set, functions[pick(4)]));
    rules += retention != Retention::kHorizon;
  }
  CHECK(rules > 40);  // the check is not empty
}

TEST_CASE("built-in patterns keep what theory says") {
  const auto cache_at = [](const Pattern& pattern, std::int64_t i) {
    const auto sizes = cache_by_row(pattern, rows_of(pattern, i));
    REQUIRE(sizes.ok());
    CHECK_FALSE(sizes->horizon);
    return sizes->size.back();
  };
  CHECK(cache_at(builtin("attention"), 100) == 100);
  CHECK(cache_at(builtin("local_attention"), 100) == 63);
  CHECK(cache_at(builtin("linear_recurrence"), 100) == 1);
  CHECK(cache_at(builtin("dense_recurrence"), 100) == 100);
  CHECK(cache_at(builtin("chacal"), 100) == 200);
  CHECK(cache_at(builtin("log_recurrence"), 100) == 100);
  CHECK(cache_at(builtin("log_attention"), 100) == 100);
  // |S_{n+1}| of theory's section 5.
  CHECK(cache_at(builtin("log_cached"), 1024) == 11);
  CHECK(cache_at(builtin("log_cached"), 4096) == 13);
  CHECK(cache_at(builtin("sqrt_cached"), 1024) == 23);
  CHECK(cache_at(builtin("sqrt_cached"), 4096) == 46);
}

}  // namespace
}  // namespace heddle
