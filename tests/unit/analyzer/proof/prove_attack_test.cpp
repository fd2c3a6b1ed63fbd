// SPDX-License-Identifier: Apache-2.0
// Patterns and claims made to be proved wrongly. Each case was a hole once, or stands where one
// would be: rows without a value that look empty, sets whose members cannot be told, numbers at the
// ends of 64 bits, measures that are infinite.
#include <vector>

#include "analyzer/proof/causality.hpp"
#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/proof/prove.hpp"
#include "analyzer/proof/query.hpp"
#include "analyzer/proof/structure.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using heddle::testing::pattern_of;
using Status = CausalityVerdict::Status;

namespace {

constexpr std::uint64_t kLimit = 2'000'000;

// "proved", "refuted: i = 3", "unknown" of the last claim of the pattern.
std::string verdict_of(const std::string& body) {
  const ProofReport report = prove(pattern_of(body));
  INFO(body << "\n" << report.causality.message);
  REQUIRE(!report.claims.empty());
  const ClaimVerdict& claim = report.claims.back();
  std::string text = name_of(claim.verdict);
  const auto* refuted = std::get_if<Refuted>(&claim.verdict);
  if (refuted != nullptr) text += ": " + claim.scope;
  if (refuted != nullptr && !refuted->smallest) text += ", perhaps not the smallest";
  return text;
}

}  // namespace

TEST_CASE("a row is not empty because an end of a range has no value") {
  // f(-2) and f(-1) would be 5 and 2, beyond the upper end 1, if f had values there.
  const std::string near = "f(k) = k^2 + 1\nA = diagonal\nB = ";
  const std::string hollow = "{ i - k : k in f(i - 3)..1, k >= 1, k < i }";
  CHECK(prove_causal(pattern_of(near + hollow)).code == "E043");
  CHECK(prove_causal(pattern_of(near + "window(1) & " + hollow)).code == "E043");
  // As above, at row 5000 alone; and in the lower end of the second of two variables.
  const std::string far = near + "{ i - k : k in f(abs(i - 5000) - 1)..1, k >= 1, k < i }";
  CHECK(prove_causal(pattern_of(far)).status != Status::kProved);
  CHECK(
      prove_causal(pattern_of(near + "{ i - k : t in 1..2, k in f(i - 2 - t)..1, k >= 1, k < i }"))
          .status == Status::kRejected);
  CHECK(prove_causal(pattern_of(near + "{ i - k : k in 1..log2(i - 1), k < i }")).code == "E043");
  // Where ends always have a value, nothing changes.
  CHECK(prove_causal(pattern_of(near + "{ i - k : k in 1..sqrt(i), k < i }")).status ==
        Status::kProved);
}

TEST_CASE("a membership that cannot be told is not built on") {
  // B reads i - 2 and i - 3 only; the distances taken away are too far apart to be listed.
  const Pattern pattern = pattern_of(
      "A = diagonal\nB = window(3) - { i - (1 + 2199023255551*k) : k in 0..1, "
      "1 + 2199023255551*k < i }");
  CHECK_FALSE(proof::structure_of(pattern, kLimit).b_reads_previous);
  CHECK(derive(pattern).depth.closed_form.empty());
}

TEST_CASE("a closed form at a constant keeps its powers") {
  const Pattern pattern =
      pattern_of("f(0) = 1\nf(k+1) = f(k) + 2*k + 1\nA = diagonal\nB = none");  // k^2 + 1
  const proof::Knowledge knowledge = proof::learn(pattern, kLimit);
  REQUIRE(knowledge.facts("f").closed.has_value());
  const auto proved = [&](const Integer& value) {
    proof::Query query(knowledge, kLimit);
    const smt::Term at = query.apply(*pattern.function("f"), smt::Term(5000));
    return query.prove("value", "value", smt::equal(at, smt::Term(value))).proved();
  };
  CHECK(proved(25'000'001));
  CHECK_FALSE(proved(5001));
  CHECK_FALSE(proved(25'000'000));
}

TEST_CASE("numbers at the ends of 64 bits do not wrap") {
  const std::string diagonal = "A = diagonal\n";
  // Every position is live until row p + 2^63 - 1 has read it.
  CHECK(verdict_of(diagonal + "B = { i - 9223372036854775807 : 9223372036854775807 < i }\n"
                              "claim cache(i) >= i for i < 1000000") != "refuted: i = 1");
  CHECK(verdict_of(diagonal + "B = window(9223372036854775807)\nclaim cache(i) = i") !=
        "refuted: i = 1");
  // The same distance twice is one read.
  const std::string far = "{ i - 9223372036854775807 : 9223372036854775807 < i }";
  CHECK(verdict_of(diagonal + "B = " + far + " | " + far + "\nclaim time(i) <= 2") != "refuted");
  CHECK(verdict_of(diagonal + "B = " + far + " | " + far +
                   "\nclaim time(9223372036854775808) = 3") != "proved");
  // A bounded variable over all of 64 bits, and values that begin far below zero.
  CHECK(verdict_of(diagonal + "B = { i - 1 : k in -9223372036854775808..9223372036854775807, "
                              "1 < i }\nclaim time(i) <= 2") != "refuted: i = 1");
  CHECK(verdict_of(diagonal + "B = { i - (0 - 9223372036854775807 - 1)..i - 1 }\n"
                              "claim cache(i) = 0") != "refuted: i = 1");
}

TEST_CASE("a measure that is infinite decides comparisons") {
  const std::string local = "A = window(64)\nB = none\nclaim ";
  CHECK(verdict_of(local + "congestion(n) <= 1") == "refuted: n = 64");
  CHECK(verdict_of(local + "congestion(n) = 1") == "refuted: n = 64");
  CHECK(verdict_of(local + "congestion(n) = 1 for n < 64") == "proved");
  CHECK(verdict_of(local + "congestion(n) <= n + 7") == "refuted: n = 64");
  CHECK(verdict_of(local + "congestion(n) >= 1") == "checked");
  CHECK(verdict_of(local + "hops(i, j) <= 1") == "refuted: i = 65, j = 1");
  CHECK(verdict_of(local + "hops(i, j) >= 1") == "checked");
  CHECK(verdict_of(local + "3 - 2 * hops(i, j) >= 0 - i") == "refuted: i = 65, j = 1");
  CHECK(verdict_of(local + "hops(i, j) - hops(i, j) = 0") == "unknown");
  CHECK(verdict_of(local + "min(hops(i, j), 5) <= 5") == "checked");
  CHECK(verdict_of("A = window(300)\nB = none\nclaim congestion(n) = 1") == "refuted: n = 300");
  CHECK(verdict_of(local + "hops(i, j) <= 1 for hops(i, j) < i") == "checked");
  CHECK(verdict_of(local + "i - j <= 63 for hops(i, j) = 1") == "checked");
  CHECK(verdict_of(local + "i - j <= 62 for hops(i, j) = 1") == "refuted: i = 64, j = 1");
  CHECK(verdict_of(local + "i - j <= 63 for not hops(i, j) < i") == "refuted: i = 65, j = 1");
  CHECK(verdict_of(local + "n <= 63 for 5 < congestion(n) or n < 2") == "refuted: n = 64");
  CHECK(verdict_of(local + "i <= 70 for hops(i, j) - hops(i, j) = 0") == "unknown");
  const std::string apart = "A = diagonal\nB = { i - 2*t : t >= 1, 2*t < i }\nclaim ";
  CHECK(verdict_of(apart + "congestion(n) = n") == "refuted: n = 1");
  CHECK(verdict_of(apart + "congestion(n) * cache(n) >= n") == "checked");
}

// congestion(n) and congestion(n + 1) each lie between two bounds, and need not lie alike.
TEST_CASE("two measures that are only enclosed do not move together") {
  const Pattern pattern = pattern_of(
      "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\nclaim congestion(n) <= congestion(n + 1)\n"
      "claim congestion(n + 1) <= congestion(n) + 30\nclaim congestion(n) <= n\n"
      "claim n <= 19 for n = 20 or congestion(n) <= congestion(n + 1)");
  const auto rows = proof::MeasuredRows::up_to(pattern, 48, 0, 1);
  REQUIRE(rows.ok());
  const auto searched = [&](std::size_t claim) {
    return proof::search(pattern, pattern.claims().at(claim), *rows, 12, 20);
  };
  CHECK(searched(2).checked_up_to == 20);
  CHECK_FALSE(searched(2).incomplete);
  REQUIRE(rows->widest() > 0);
  for (const std::size_t claim : {0U, 1U}) {
    CHECK(searched(claim).incomplete);
    CHECK_FALSE(searched(claim).refuted);
  }
  // What is not decided at some places is not refuted first at a later one.
  const auto late = searched(3);
  CHECK(late.incomplete);
  REQUIRE(late.refuted);
  CHECK_FALSE(late.refuted->smallest);
}

TEST_CASE("no more values of a set are listed than fit into 64 bits") {
  // The ends of the range, and the values at them, lie beyond what the prover lists.
  for (const char* far :
       {"{ i - k : k in 1152921504606846977..1152921504606846979, k < i }",
        "{ i - 9 * k : k in 1152921504606846970..1152921504606846976, 9 * k < i }",
        "{ i - k - 9223372036854775807 : k in 0..3, k + 9223372036854775807 < i }"}) {
    const Pattern pattern = pattern_of(std::string("A = diagonal\nB = ") + far);
    CHECK(proof::structure_of(pattern, kLimit).b.model.kind == proof::RowModel::Kind::kOther);
  }
  const Pattern near = pattern_of("A = diagonal\nB = { i - k : k in 1..3, k < i }");
  CHECK(proof::structure_of(near, kLimit).b.model.kind == proof::RowModel::Kind::kDistances);
}

TEST_CASE("tokens that are exchanged are out of reach") {
  for (const char* sets :
       {"A = window(8)\nB = none", "A = dense\nB = none", "A = diagonal\nB = { i - 3 : i > 3 }"}) {
    CHECK(verdict_of(std::string(sets) + "\nclaim reaches(j, i)") == "refuted: i = 2, j = 1");
  }
}

TEST_CASE("a condition that never holds is said to be empty, with measures in it too") {
  const auto scope = [](const std::string& claim) {
    const ProofReport report = prove(pattern_of("A = diagonal\nB = window(2)\nclaim " + claim));
    return std::string(name_of(report.claims[0].verdict)) + " " + report.claims[0].scope;
  };
  CHECK(scope("time(i) <= 0 for time(i) > 3") == "proved no i");
  CHECK(scope("time(i) <= 0 for cache(i) < 0") == "proved no i");
  CHECK(scope("hops(i, j) <= 0 for hops(i, j) > i - j") == "proved no i, j");
  CHECK(scope("time(i) <= 0 for time(i) > 2") == "refuted i = 3");
}
