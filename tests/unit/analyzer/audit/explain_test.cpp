// SPDX-License-Identifier: Apache-2.0
// Proofs as text: everything that a certificate holds is told, in infix and with its statements.
#include "analyzer/audit/explain.hpp"

#include "analyzer/certificate/theorems.hpp"
#include "analyzer/proof/certify.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using heddle::testing::builtin;
using heddle::testing::pattern_of;

namespace {

std::string explained(const Pattern& pattern) {
  const Certificate certificate = certify(pattern, prove(pattern));
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  return explain(certificate, audit(to_json_text(certificate), no_solvers));
}

void tells(const std::string& text, const std::string& part) {
  INFO(text);
  INFO("is to say: " << part);
  CHECK(text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a proof is told with its laws, its inequality and its lemmas") {
  const std::string text = explained(builtin("log_recurrence"));
  tells(text, "# What is proved about `log_recurrence`");
  tells(text, "| `time(i) <= log2(i) + 2` | proved | all i |");
  tells(text, "## `hops(i, j) <= log2(i - j) + 1`");
  tells(text, theorem("hops: i - j is a sum of popcount(i - j) powers of two")->substr(1));
  tells(text, "f(k) grows strictly in k >= 0 (step `increasing: f(k)`).");
  tells(text, "1 <= i implies 0 <= log2.1 and 2^log2.1 <= i and i < 2 * 2^log2.1");
  tells(text, "of the lemma power(2)");
  tells(text, "* **power(2).** 2^t >= t + 1 for t >= 0, and 2 * 2^s <= 2^t for 0 <= s < t.");
  tells(text, "no other theorem");
  CHECK(text.find("(<= ") == std::string::npos);  // infix throughout
}

TEST_CASE("assumed theorems, refutations and ranges are told") {
  const std::string lagrange = explained(builtin("sqrt_recurrence"));
  tells(lagrange, "taken on trust: Lagrange: every natural number is a sum of four squares.");
  const std::string mixed =
      explained(pattern_of("A = diagonal\nB = { floor(i / 2) : i >= 2 }\n"
                           "claim time(i) <= 1\nclaim hops(i, j) <= i"));
  tells(mixed, "Refuted at i = 2, the smallest place where it fails: row 2 reads x 2 and y 1.");
  tells(mixed, "Checked: time(i) <= 1 fails nowhere before i = 2: every place was evaluated.");
  const std::string later = explained(
      pattern_of("f(k) = 2^k\nA = diagonal\nB = offsets(f)\n"
                 "claim hops(i, j) <= log2(i - j) for i - j >= 3000\nclaim hops(i, j) <= 25"));
  tells(later, "Refuted at i = 4096, j = 1, the smallest place");
  tells(later, "Refuted at i = 67108864, j = 1, the smallest place where it fails: as ");
  tells(later, "fails nowhere before i = 67108864, j = 1: proved of all i <= 67108863.");
  tells(later, "**bits.** 2^popcount(x) <= x + 1 for x >= 0. Its steps:");
  tells(mixed, "There the left side is 2 and the right side 1.");
  const std::string classes =
      explained(pattern_of("A = window(3)\nB = none\nclaim time(i) in Theta(1)\n"
                           "claim cache(i) in Omega(1)\nclaim time(i) in Omega(n)"));
  tells(classes,
        "For g of the class: time(i) <= 3 g(i) for i >= 1, and g(i) <= time(i) for i >= 1.");
  tells(classes, "For g of the class: g(i) <= cache(i) for i >= 1.");
  tells(classes,
        "Refuted: time(i) is in O(1). At i = 1024 it is 3, and the function of the class 1024.");
  tells(classes, "# What else is proved");
  const std::string copies = explained(
      pattern_of("A = diagonal\nB = window(1)\nclaim congestion(n) <= 1\nclaim rank(m) <= 0"));
  tells(copies, "a path for congestion(2): x1 -> y1 -> y2 -> y3");
  tells(copies, "no paths do better than congestion(2), by weights of y1, y2, ..:");
  tells(copies, "a path for rank(1): x1 -> y1 -> y2");
}
