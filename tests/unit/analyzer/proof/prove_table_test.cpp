// SPDX-License-Identifier: Apache-2.0
// The table of true and false claims about patterns outside the library. Every true one must be
// proved and every false one refuted at its smallest values; the few that no rule decides say so
// here, so that a verdict that changes is seen. Refuted claims were found by hand or by counting,
// never by reading off what the prover says.
#include <vector>

#include "analyzer/proof/prove.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using heddle::testing::pattern_of;

namespace {

struct Row {
  const char* claim;
  const char* expected;  // verdict, and scope unless it is "all ..."
};

void check(const std::string& body, const std::vector<Row>& rows) {
  std::string text = body + "\n";
  for (const Row& row : rows) text += std::string("claim ") + row.claim + "\n";
  const ProofReport report = prove(pattern_of(text));
  REQUIRE(report.claims.size() == rows.size());
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const ClaimVerdict& claim = report.claims[at];
    std::string verdict = name_of(claim.verdict);
    if (claim.scope.rfind("all ", 0) != 0 && !claim.scope.empty()) verdict += ": " + claim.scope;
    if (const auto* refuted = std::get_if<Refuted>(&claim.verdict)) {
      if (!refuted->smallest) verdict += ", perhaps not the smallest";
    }
    INFO(body << "\nclaim " << rows[at].claim);
    CHECK(verdict == rows[at].expected);
  }
}

const std::string kTwo = "f(k) = 2^k\nA = diagonal\n";
const std::string kSquares = "f(k) = k^2 + 1\nA = diagonal\n";
const std::string kFibonacci = "f(0) = 1\nf(1) = 2\nf(k+2) = f(k+1) + f(k)\nA = diagonal\n";

}  // namespace

TEST_CASE("sizes of lattice rows are bounded from both sides") {
  check(kTwo + "B = lattice(f)",
        {
            {"cache(i) = log2(i) + 1", "proved"},
            {"cache(i) >= log2(i) + 2", "refuted: i = 1"},
            {"time(i) <= 3", "refuted: i = 5"},
            {"time(i) <= 40", "refuted: i = 549755813889"},
            {"cache(i) <= 40", "refuted: i = 1099511627776"},
            {"time(i) in O(1)", "refuted: i = 1024, perhaps not the smallest"},
            {"time(i) in Theta(log n)", "proved"},
            {"time(i) in Omega(sqrt n)", "refuted: i = 1024, perhaps not the smallest"},
            {"cache(i) in Omega(1)", "proved"},
            {"cache(i) in Theta(1)", "refuted: i = 1024, perhaps not the smallest"},
            {"cache(i) in Theta(n)", "refuted: i = 1024, perhaps not the smallest"},
            {"depth(n) in Theta(n)", "proved"},
            {"hops(i, j) in Omega(1)", "proved"},
            // True for the claim's first half only: hops(i, i - 1) = 1.
            {"hops(i, j) in Omega(log n)", "unknown"},
            {"time(i) in Omega(log n) for i >= 9", "unknown"},
        });
  check(kSquares + "B = lattice(f)",
        {
            {"2 * cache(i) >= sqrt(i)", "proved"},
            {"cache(i) >= sqrt(i)", "refuted: i = 16"},
            {"cache(i) in O(log n)", "refuted: i = 1024, perhaps not the smallest"},
            {"time(i) <= 40", "refuted: i = 2520"},
        });
  check("f(k) = 3^k\nA = diagonal\nB = lattice(f)",
        {
            {"cache(i) <= log2(i) + 1", "proved"},
            {"time(i) <= 30", "refuted: i = 68630377364884"},  // 3^29 + 1
        });
}

TEST_CASE("unions are counted exactly where parts are apart, nested or meet regularly") {
  const std::string strides = "A = diagonal\nB = { i - 2*t : t >= 1, 2*t < i } | ";
  check(strides + "{ i - 4*t : t >= 1, 4*t < i }",
        {{"time(i) = floor((i + 1) / 2)", "proved"},
         {"time(i) = floor(i / 2) + 1", "refuted: i = 2"}});
  check(strides + "{ i - (2*t + 1) : t >= 1, 2*t + 1 < i }",
        {{"time(i) = i - 1 for i >= 2", "proved"}, {"time(i) >= i", "refuted: i = 2"}});
  check(strides + "{ i - 3*t : t >= 1, 3*t < i }",
        {{"time(i) = floor((i - 1) / 2) + floor((i - 1) / 3) - floor((i - 1) / 6) + 1", "proved"},
         {"time(i) = floor((i - 1) / 2) + floor((i - 1) / 3) + 1", "refuted: i = 7"}});
  check("f(k) = 2^k\nA = diagonal\nB = offsets(f) | window(3)",
        {{"time(i) = min(i, 4) + max(log2(max(i - 1, 1)) - 1, 0)", "proved"}});
}

TEST_CASE("counts that fail far out are found") {
  check(kTwo + "B = offsets(f)",
        {
            {"time(i) <= 40", "refuted: i = 549755813889"},
            {"time(i) <= 100", "refuted: i = 633825300114114700748351602689"},
            {"time(i) <= log2(i) + 2", "proved"},
            {"time(i) <= log2(i) + 1", "refuted: i = 3"},
        });
}

TEST_CASE("measures of many rows fail far out, as forms that are proved of them say") {
  check("A = diagonal\nB = window(3)",
        {
            {"hops(i, j) <= 1000", "refuted: i = 3002, j = 1"},
            {"hops(i, j) <= 300 for j = 2", "refuted: i = 903, j = 2"},
            {"hops(i, j) <= 300 for j >= 500", "refuted: i = 1401, j = 500"},
            {"hops(i, j) <= 300 for j > 70 and i - j = 1000", "refuted: i = 1071, j = 71"},
            {"hops(i, j) <= 300 for i - j = 1000", "refuted: i = 1001, j = 1"},
            {"hops(i, j) <= 300 for i >= j + 5000", "refuted: i = 5001, j = 1"},
            {"hops(i, j) <= 300 for i = 5000 and j mod 2 = 0", "refuted: i = 5000, j = 2"},
            {"hops(i, j) <= 300 for j mod 7 = 3", "refuted: i = 904, j = 3"},
            {"hops(i, j) <= 300 for j = 2 and i != 903", "refuted: i = 904, j = 2"},
            // The first of two rays is not the one whose token comes first.
            {"hops(i, j) <= 300 for j = 2 and i > 4000 or j = 700", "refuted: i = 1601, j = 700"},
            {"hops(i, j) <= 300 for j = 900 and i - j <= 903", "refuted: i = 1801, j = 900"},
            {"hops(i, j) <= 300 for j = 900 and i - j <= 900", "proved"},
            {"hops(i, 1) <= 1000", "refuted: i = 3002"},
            {"depth(n) <= 100000000", "refuted: n = 100000002"},
            {"congestion(n) <= 500", "refuted: n = 1501"},
            {"congestion(n) <= 500 for n mod 2 = 0", "refuted: n = 1502"},
            {"depth(n) <= 3 * hops(n, 1)", "proved"},
            {"depth(n) <= 2 * hops(n, 1) + 2000", "refuted: n = 6004"},
        });
  check(kTwo + "B = offsets(f)",
        {
            // 2^m - 1 is the first distance with m one bits.
            {"hops(i, j) <= 25", "refuted: i = 67108864, j = 1"},
            {"hops(i, j) <= 25 for j = 2", "refuted: i = 67108865, j = 2"},
            {"hops(i, j) <= 7 for j >= 1000", "refuted: i = 1255, j = 1000"},
            {"hops(i, 1) <= 70", "refuted: i = 2361183241434822606848"},
            {"2 * hops(i, j) <= log2(i - j) + 25", "refuted: i = 33554432, j = 1"},
            {"hops(i, j) <= log2(i - j) for i - j >= 3000", "refuted: i = 4096, j = 1"},
            {"rank(m) <= 5000", "refuted: m = 5001"},
            {"cache(i) <= 1000000000000", "refuted: i = 1000000000001"},
            {"rank(m) <= depth(m + 7) - 7", "refuted: m = 1"},
        });
  // Nothing is known of hops of this one but bounds, and these decide nothing.
  check(kSquares + "B = lattice(f)", {{"hops(i, j) <= 9", "checked: n <= 192"}});
}

TEST_CASE("rows that conditions or ends keep near are small, and so is what they keep") {
  check("A = diagonal\nB = { i - 1 : i > 1 and i != 50 }", {
                                                               {"time(i) <= 2", "proved"},
                                                               {"time(i) in Theta(1)", "proved"},
                                                               {"cache(i) <= 1", "proved"},
                                                               {"cache(i) = 1", "refuted: i = 49"},
                                                               {"cache(i) in O(1)", "proved"},
                                                               {"depth(n) <= n - 1", "proved"},
                                                           });
  // Blocks of 16 tokens that read only each other, as a condition and as ends.
  check(
      "A = diagonal\nB = { i - d : d >= 1, d <= 15, floor((i - d - 1) / 16) = floor((i - 1) / 16) "
      "}",
      {
          {"time(i) <= 16", "proved"},
          {"time(i) <= 15", "refuted: i = 16"},
          {"cache(i) <= 15", "proved"},
          {"cache(i) <= 14", "refuted: i = 15"},
          {"rank(m) <= 15", "proved"},
      });
  check("A = { 16 * floor((i - 1) / 16) + 1 .. i }\nB = none",
        {
            {"time(i) = (i - 1) mod 16 + 1", "proved"},
            {"cache(i) <= 15", "proved"},
            {"cache(i) <= 14", "refuted: i = 15"},
            {"cache(i) in O(1)", "proved"},
            {"rank(m) <= 15", "proved"},
        });
  // No values of one variable, so no positions.
  check("A = diagonal\nB = { i - a : a in 3..2, a < i } | { i - a - b : a in 0..1, b in 1..0 }",
        {{"time(i) = 1", "proved"}, {"cache(i) = 0", "proved"}, {"depth(n) = 0", "proved"}});
  // Several variables, and an end that moves with the row.
  check("A = diagonal\nB = { i - 4 * a - b : a in 0..3, b in 1..2, 4 * a + b < i }",
        {
            {"time(i) <= 9", "proved"},
            {"time(i) <= 8", "refuted: i = 15"},
            {"cache(i) = min(i, 14)", "proved"},
            {"hops(n, 1) <= floor(n / 14) + 7", "proved"},
            {"hops(n, 1) >= 1", "refuted: n = 1"},
        });
  check("A = { i - 4 * k : k in 0..floor((i - 1) / 4) }\nB = none",
        {
            {"time(i) = floor((i + 3) / 4)", "proved"},
            {"cache(i) = i", "proved"},
            {"depth(n) <= 1", "proved"},
        });
  check(
      "A = { 16 * floor((i - 1) / 16) + 1 .. i } | { 16 * k : k in 1..floor((i - 1) / 16) }\n"
      "B = none",
      {
          {"time(i) <= 16 + floor(i / 16)", "proved"},
          {"cache(i) <= 16 + floor(i / 16)", "proved"},
          {"depth(n) <= 1", "proved"},
          {"depth(n) >= 1", "refuted: n = 1"},
      });
  // Fixed positions from some row on, and a range whose rows grow without bound.
  check("A = diagonal\nB = { p : p >= 1, p <= 4, p < i, i > 100 } | window(8)",
        {
            {"time(i) <= 13", "proved"},
            {"time(i) <= 12", "refuted: i = 101"},
            {"cache(i) <= 12", "proved"},
        });
  check("A = { floor(i / 2) + 1 .. i }\nB = none",
        {
            {"cache(i) <= floor(i / 2)", "checked: i <= 1024"},
        });
}

TEST_CASE("hops: exact, greedy, by lattice, by window") {
  check(kTwo + "B = offsets(f)", {
                                     {"hops(i, j) = popcount(i - j)", "proved"},
                                     {"hops(i, j) <= log2(i - j) + 1", "proved"},
                                     {"hops(i, j) <= log2(i - j)", "refuted: i = 2, j = 1"},
                                 });
  check(kTwo + "B = lattice(f)", {
                                     {"hops(i, j) <= log2(i - j) + 1", "proved"},
                                     {"hops(i, j) <= log2(i - j)", "refuted: i = 2, j = 1"},
                                 });
  check(kFibonacci + "B = offsets(f)", {{"hops(i, j) <= log2(i - j) + 1", "proved"}});
  check(kSquares + "B = offsets(f)",
        {
            {"hops(i, j) <= 4", "proved"},
            {"hops(i, j) <= 3", "refuted: i = 59, j = 1"},
            {"hops(i, j) <= log2(i - j) + 1", "proved"},
            {"hops(i, j) <= log2(max(log2(i - j) - 2, 1)) + 3", "proved"},
        });
  check(kSquares + "B = lattice(f)", {{"hops(i, j) <= log2(i - j) + 1", "proved"}});
  check("f(k) = k^3 + 1\nA = diagonal\nB = offsets(f)",
        {{"hops(i, j) <= log2(i - j) + 3", "proved"}});
  check("f(k) = 3^k\nA = diagonal\nB = offsets(f)",
        {
            {"hops(i, j) <= 2 * log2(i - j) + 1", "proved"},
            {"hops(i, j) <= log2(i - j) + 1", "refuted: i = 27, j = 1"},
        });
  check("A = diagonal\nB = { i - 1 : i > 1 } | { i - 5 : i > 5 }",
        {
            {"hops(i, j) <= floor((i - j) / 5) + 4", "proved"},
            {"hops(i, j) <= floor((i - j) / 5) + 3", "refuted: i = 5, j = 1"},
        });
  check("A = diagonal\nB = window(4)",
        {
            {"hops(i, j) = ceil((i - j) / 4)", "proved"},
            {"hops(i, j) <= floor((i - j) / 4)", "refuted: i = 2, j = 1"},
        });
}

TEST_CASE("congestion and rank: capacity and translation laws, and small cases solved") {
  check(kTwo + "B = offsets(f)", {
                                     {"congestion(n) * cache(n) >= n", "proved"},
                                     {"congestion(n) <= log2(n) + 1", "proved"},
                                     {"congestion(n) <= 1", "refuted: n = 3"},
                                     {"rank(m) = m", "proved"},
                                     {"rank(m) <= 3", "refuted: m = 4"},
                                 });
  check(kTwo + "B = lattice(f)", {
                                     {"congestion(n) * (log2(n) + 1) >= n", "proved"},
                                     {"rank(m) <= log2(m) + 1", "proved"},
                                     {"rank(m) <= 3", "refuted: m = 8"},
                                 });
  check("A = diagonal\nB = window(4)", {
                                           {"congestion(n) = ceil(n / 4)", "proved"},
                                           {"congestion(n) <= 2", "refuted: n = 9"},
                                           {"rank(m) = min(m, 4)", "proved"},
                                           {"rank(m) >= 5", "refuted: m = 1"},
                                           {"depth(n) = n - 1", "proved"},
                                       });
  check("A = window(8)\nB = none", {
                                       {"rank(m) = min(m, 7)", "proved"},
                                       {"depth(n) <= 1", "proved"},
                                       {"depth(n) <= 0", "refuted: n = 2"},
                                   });
}

TEST_CASE("reachability is the semigroup of the distances") {
  check("A = diagonal\nB = { i - k : k in 2..3, k < i }",
        {
            {"reaches(i, j)", "refuted: i = 2, j = 1"},
            {"reaches(i, j) for i - j >= 2", "proved"},
            {"depth(n) = floor((n - 1) / 2)", "proved"},
        });
  check("A = diagonal\nB = { i - 6 : i > 6 } | { i - 9 : i > 9 } | { i - 20 : i > 20 }",
        {
            {"reaches(i, j) for i - j >= 44", "proved"},
            {"reaches(i, j) for i - j >= 43", "refuted: i = 44, j = 1"},
        });
  check("A = window(8)\nB = none", {
                                       {"reaches(i, j) for i - j < 8", "proved"},
                                       {"reaches(i, j) for i - j <= 8", "refuted: i = 9, j = 1"},
                                   });
  check("A = diagonal\nB = window(1)", {
                                           {"reaches(j, i)", "refuted: i = 2, j = 1"},
                                           {"reaches(i, j)", "proved"},
                                           {"reaches(i, i)", "proved"},
                                       });
}

TEST_CASE("a claim whose condition never holds is proved for nothing") {
  check("A = diagonal\nB = window(2)", {
                                           {"time(i) <= 0 for i < 1", "proved: no i"},
                                           {"time(i) <= 0 for i mod 2 = 2", "proved: no i"},
                                           {"congestion(n) <= 0 for n < 0", "proved: no n"},
                                           {"time(i) <= 0 for i < 2", "refuted: i = 1"},
                                       });
}

TEST_CASE("patterns that no rule was written for: sparse functions") {
  check("f(k) = k^3 + 1\nA = diagonal\nB = offsets(f)", {
                                                            {"time(i)^3 <= 8 * i + 27", "proved"},
                                                            {"time(i) <= sqrt(i) + 2", "proved"},
                                                            {"time(i) <= 10", "refuted: i = 731"},
                                                        });
  check("f(k) = k^3 + 1\nA = diagonal\nB = lattice(f)", {
                                                            {"cache(i) <= sqrt(i) + 1", "proved"},
                                                            {"time(i) >= 2 for i >= 2", "proved"},
                                                            {"time(i) <= 9", "refuted: i = 829"},
                                                        });
  check("f(k) = 3^k\nA = diagonal\nB = lattice(f)",
        {{"3^(time(i) - 1) <= 3 * i", "proved"}, {"cache(i) <= log2(i)", "refuted: i = 1"}});
  check("f(k) = 5*k^2 + 1\nA = diagonal\nB = offsets(f)",
        {
            {"5 * (time(i) - 2)^2 <= i - 2 for i >= 2", "proved"},
            {"time(i) = sqrt(floor((i - 2) / 5)) + 2 for i >= 2", "proved"},
            {"time(i) = sqrt(floor(i / 5)) + 2 for i >= 2", "refuted: i = 5"},
        });
  check("f(k) = floor(k * (k + 1) / 2) + 1\nA = diagonal\nB = offsets(f)",
        {{"time(i) <= sqrt(2 * i) + 2", "proved"}, {"time(i) <= sqrt(2 * i)", "refuted: i = 3"}});
  check("f(0) = 1\nf(1) = 2\nf(k+2) = 2 * f(k+1) + f(k)\nA = diagonal\nB = lattice(f)",
        {{"cache(i) <= log2(i) + 1", "proved"}, {"cache(i) <= 5", "refuted: i = 86"}});
  check("f(k) = (k + 1) * 2^k\nA = diagonal\nB = offsets(f)",
        {{"time(i) <= log2(i) + 2", "proved"}, {"time(i) <= 8", "refuted: i = 1025"}});
  check("f(k) = k * 2^k + 1\nA = diagonal\nB = lattice(f)",
        {{"cache(i) <= log2(i) + 1", "proved"}, {"cache(i) <= log2(i)", "refuted: i = 1"}});
}

TEST_CASE("patterns that no rule was written for: combined sets and parameters") {
  check("A = diagonal\nB = window(10) - window(3)",
        {
            {"time(i) = min(max(i - 4, 0), 7) + 1", "proved"},
            {"cache(i) = min(i, 10)", "proved"},
            {"reaches(i, j) for i - j >= 4", "proved"},
            {"reaches(i, j) for i - j >= 3", "refuted: i = 4, j = 1"},
            {"depth(n) = floor((n - 1) / 4)", "proved"},
            {"rank(m) = min(m, 10)", "proved"},
        });
  check("f(k) = 2^k\nA = diagonal\nB = offsets(f) & window(20)",
        {
            {"cache(i) = min(i, 16)", "proved"},
            {"time(i) <= 5", "refuted: i = 17"},
            {"hops(i, j) <= floor((i - j) / 16) + 4", "proved"},
        });
  check("f(k) = k^2 + 1\nA = diagonal | offsets(f)\nB = none",
        {
            {"time(i) = sqrt(i - 2) + 2 for i >= 2", "proved"},
            {"depth(n) = min(n - 1, 1)", "proved"},
            {"reaches(i, j)", "refuted: i = 4, j = 1"},
            {"hops(i, j) <= 1", "refuted: i = 4, j = 1"},
            {"congestion(n) <= 1", "refuted: n = 3"},
            {"rank(m) = m", "proved"},
        });
  check("A = window(8) | { 1..min(4, i) }\nB = none",
        {
            {"time(i) <= 12", "proved"},
            {"reaches(i, j) for i - j < 8", "proved"},
            {"reaches(i, j) for i - j < 9", "refuted: i = 13, j = 5"},
            {"depth(n) <= n - 1", "proved"},
        });
  check("A = diagonal\nB = { i - 3*t : t in 1..5, 3*t < i }",
        {
            {"time(i) = min(floor((i - 1) / 3), 5) + 1", "proved"},
            {"cache(i) = min(i, 15)", "proved"},
            {"reaches(i, j) for (i - j) mod 3 = 0", "proved"},
            {"reaches(i, j) for (i - j) mod 3 != 1", "refuted: i = 3, j = 1"},
        });
  check(kSquares +
            "a(0) = 1\na(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k))\n"
            "B = { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i }",
        {{"cache(i) <= sqrt(i) + 1", "proved"}, {"cache(i) <= sqrt(i)", "refuted: i = 2"}});
}
