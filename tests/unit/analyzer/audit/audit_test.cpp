// SPDX-License-Identifier: Apache-2.0
// Certificates survive a round trip and an audit; what was tampered with does not.
#include "analyzer/audit/audit.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "analyzer/certificate/theorems.hpp"
#include "analyzer/proof/certify.hpp"
#include "tests/unit/analyzer/certified_patterns.hpp"

using namespace heddle;
using heddle::testing::builtin;
using heddle::testing::pattern_of;
using AuditVerdict = AuditReport::Verdict;

namespace {

Certificate certificate_of(const Pattern& pattern) { return certify(pattern, prove(pattern)); }

std::string problems_of(const AuditReport& report) {
  std::string text;
  for (const std::string& problem : report.problems) text += problem + "\n";
  return text;
}

AuditOptions quick() {
  AuditOptions options;
  options.seconds_per_script = 5;
  return options;
}

// Is it rejected for what it says, before any solver is asked?
bool rejects(Certificate certificate, const std::function<void(Certificate&)>& change) {
  change(certificate);
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  return audit(to_json_text(certificate), no_solvers).verdict == AuditVerdict::kRejected;
}

// The verdict of the audit after a change to the certificate.
AuditVerdict after(Certificate certificate, const std::function<void(Certificate&)>& change) {
  change(certificate);
  return audit(to_json_text(certificate), quick()).verdict;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("certificates are read back as they were written") {
  for (const char* name : {"sqrt_cached", "fibonacci_recurrence", "attention"}) {
    const std::string text = to_json_text(certificate_of(builtin(name)));
    const Result<Certificate> read = parse_certificate(text);
    REQUIRE(read.ok());
    CHECK(to_json_text(read.value()) == text);
  }
}

TEST_CASE("every step of every built-in pattern is derived from its text") {
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  for (const BuiltinPattern& builtin_pattern : builtin_patterns()) {
    const AuditReport report =
        audit(to_json_text(certificate_of(builtin(std::string(builtin_pattern.name)))), no_solvers);
    INFO(builtin_pattern.name << "\n" << problems_of(report));
    CHECK(report.verdict == AuditVerdict::kUndecided);  // nobody decided the scripts
    for (const std::string& problem : report.problems) {
      CHECK(problem.find("nothing confirms ") == 0);
    }
    CHECK_FALSE(report.trusted.empty());
  }
}

// Every rule that the prover has a name for is derived by the auditor too, in some pattern here.
TEST_CASE("every law is re-derived where a claim rests on it") {
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  std::set<const std::string*> used;
  for (const Certificate& certificate : heddle::testing::certified()) {
    const AuditReport report = audit(to_json_text(certificate), no_solvers);
    INFO(certificate.source << problems_of(report));
    CHECK(report.steps_with_evidence == report.steps);
    CHECK(report.verdict == AuditVerdict::kUndecided);
    for (const std::string& problem : report.problems) {
      CHECK(problem.find("nothing confirms companion of ") == 0);
    }
    for (const CertifiedClaim& claim : certificate.claims) {
      INFO(claim.text << " is " << claim.verdict << ": " << claim.reason);
      CHECK(claim.verdict == "proved");
      for (const std::string& law : claim.laws()) used.insert(theorem(law));
    }
    for (const std::string& law : certificate.causality.laws()) used.insert(theorem(law));
  }
  for (const auto& [law, statement] : theorems()) {
    INFO(law);
    CHECK(used.count(&statement) == 1);
  }
}

TEST_CASE("certificates of built-in patterns are accepted by both solvers") {
  for (const char* name : {"sqrt_cached", "log_recurrence", "strided_attention", "chacal"}) {
    const AuditReport report = audit(to_json_text(certificate_of(builtin(name))), quick());
    INFO(name << "\n" << problems_of(report));
    CHECK(report.verdict == AuditVerdict::kAccepted);
    for (const SolverTally& solver : report.solvers) {
      INFO(solver.version << " left " << solver.undecided << " undecided");
      CHECK(solver.confirmed + solver.undecided == report.scripts);
      CHECK(solver.confirmed > 0);
    }
    REQUIRE_FALSE(report.claims.empty());
    for (const ClaimTally& claim : report.claims) {
      for (const auto& [checker, steps] : claim.confirmed) {
        INFO(claim.text << " by " << checker);
        CHECK(steps == claim.steps);
      }
    }
  }
}

TEST_CASE("a refuted claim is certified with its counterexample") {
  const Pattern pattern =
      pattern_of("f(k) = 2^k\nA = diagonal\nB = offsets(f)\nclaim hops(i, j) <= log2(i - j)");
  const Certificate certificate = certificate_of(pattern);
  CHECK(certificate.claims.at(0).verdict == "refuted");
  CHECK(after(certificate, [](Certificate&) {}) == AuditVerdict::kAccepted);
  // hops(4, 1) = 2 > log2(3) = 1 refutes it too, but hops(5, 3) = 1 <= log2(2) = 1 does not.
  CHECK(after(certificate, [](Certificate& c) {
          c.claims[0].counterexample[0].second = "5";
          c.claims[0].counterexample[1].second = "3";
        }) == AuditVerdict::kRejected);
}

TEST_CASE("a refuted bound of the cache is shown by the rows that read what is kept") {
  const Pattern pattern = pattern_of(
      "A = { i - 3*t : t >= 0, t < 8, 3*t < i }\nB = { i - 3*t : t >= 1, t <= 8, 3*t < i }\n"
      "claim cache(i) <= 24");
  const Certificate certificate = certificate_of(pattern);
  CHECK(certificate.claims.at(0).verdict == "refuted");
  CHECK(after(certificate, [](Certificate&) {}) == AuditVerdict::kAccepted);
  const auto with_value = [&](const std::string& value) {
    return after(certificate, [&](Certificate& c) {
      for (auto& [name, text] : c.claims[0].counterexample) {
        if (name == "value") text = value;
      }
    });
  };
  CHECK(with_value("25") == AuditVerdict::kRejected);  // 26 are read
  CHECK(with_value("27") == AuditVerdict::kRejected);  // more than all of both
  CHECK(after(certificate, [](Certificate& c) {
          c.claims[0].counterexample[0].second = "12";  // where 24 are kept
        }) != AuditVerdict::kAccepted);
}

TEST_CASE("a cache far out is at least what the next row reads") {
  const Certificate far =
      certificate_of(pattern_of("f(k) = 2^k\nA = diagonal\nB = lattice(f)\nclaim cache(i) <= 11"));
  REQUIRE(far.claims[0].verdict == "refuted");
  REQUIRE(far.claims[0].counterexample[0].second == "2048");
  CHECK(after(far, [](Certificate&) {}) == AuditVerdict::kAccepted);
  for (const std::string i : {"2047", "1000"}) {  // where it holds
    CHECK(after(far, [&](Certificate& c) { c.claims[0].counterexample[0].second = i; }) !=
          AuditVerdict::kAccepted);
  }
}

TEST_CASE("no step is listed that a claim does not need, and none is asked for that it does not") {
  for (const char* body : {
           "A = dense\nB = none\nclaim depth(n) <= sqrt(n)",
           "A = diagonal\nB = { i - 2*t : t >= 1, 2*t < i }\nclaim depth(n) <= floor(n / 2)",
           "A = none\nB = none\nclaim time(i) in O(1)\nclaim cache(i) in O(1)",
           "A = none\nB = { i - t : t >= 1, t < i, not t mod 5 = 0 } & none\n"
           "claim cache(i) <= sqrt(i) + 1",
           "f(0) = 1\nf(k + 1) = f(k) + 2*k + 1\nA = diagonal | lattice(f)\n"
           "B = window(8)\nclaim depth(n) >= ceil(n / 7) - 2",
           "A = diagonal\nB = dense | { i - t : t >= 1, 5*t < i }\n"
           "claim hops(i, j) <= 1 for i - j >= 5",
           // A function that neither grows nor is positive has values all the same.
           "g(0) = 4\ng(k + 1) = 2 - g(k)\nA = diagonal\n"
           "B = { i - g(m) : m in 0..2, 1 <= g(m) < i }\nclaim time(i) <= i",
           "g(0) = 1\ng(k + 1) = 2 - g(k)\nA = diagonal\n"
           "B = { i - g(k) : k in 0..5, g(k) >= 1, g(k) < i } & { i - k : k >= 1, 2*k + 2 < i }\n"
           "claim time(i) <= i",
           // Both sides have the same numbers.
           "A = dense\nB = none\nclaim hops(i, j) in Theta(1)",
           // One bound by two ways to descend.
           "f(0) = 1\nf(k + 1) = f(k) + 1\nA = diagonal\n"
           "B = { i - 2*t : t >= 1, 2*t < i } | offsets(f)\nclaim congestion(n) <= log2(n) + 1",
       }) {
    const Certificate certificate = certificate_of(pattern_of(body));
    const AuditReport report = audit(to_json_text(certificate), quick());
    INFO(body << "\n" << problems_of(report));
    CHECK(certificate.claims.at(0).verdict == "proved");
    CHECK(report.verdict == AuditVerdict::kAccepted);
  }
}

TEST_CASE("classes are proved from the sides they name, and excluded from the other ones") {
  const Certificate good = certificate_of(pattern_of(
      "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n"
      "claim time(i) in Theta(sqrt n)\nclaim time(i) in Omega(sqrt n)\n"
      "claim cache(i) in O(log n)\nclaim cache(i) in Omega(n)\nclaim cache(n) in Theta(n)\n"
      "claim time(i) in O(1)\nclaim congestion(n) in O(1)\nclaim time(i) in O(sqrt n)"));
  const std::vector<std::string> verdicts{"proved",  "proved",  "refuted", "refuted",
                                          "refuted", "refuted", "refuted", "proved"};
  for (std::size_t at = 0; at < verdicts.size(); ++at) {
    INFO(good.claims.at(at).text);
    CHECK(good.claims[at].verdict == verdicts[at]);
  }
  const AuditReport report = audit(to_json_text(good), quick());
  INFO(problems_of(report));
  REQUIRE(report.verdict == AuditVerdict::kAccepted);

  using Witnesses = std::vector<std::pair<std::string, std::string>>;
  const auto with = [&](std::size_t claim, const std::function<void(Witnesses&)>& change) {
    return rejects(good, [&](Certificate& c) {
      Witnesses witnesses = c.claims[claim].witnesses();
      change(witnesses);
      c.claims[claim].derivation =
          derivation_of(c.claims[claim].laws(), c.claims[claim].obligations(), witnesses);
    });
  };
  REQUIRE(good.claims[0].witnesses().size() == 4);
  CHECK_FALSE(with(0, [](Witnesses&) {}));
  CHECK(with(0, [](Witnesses& w) { w.resize(2); }));
  CHECK(with(0, [](Witnesses& w) { std::swap(w[0].second, w[2].second); }));
  CHECK(with(0, [](Witnesses& w) { w[2].second = "1"; }));
  CHECK(with(1, [](Witnesses& w) { w[0].second = "0"; }));
  CHECK(with(1, [](Witnesses& w) { w.emplace_back("d", "2"); }));
  CHECK(with(7, [](Witnesses& w) { w[1].second = "9"; }));

  // The step for one side alone.
  CHECK(rejects(good, [](Certificate& c) {
    std::vector<std::string> left;
    for (const std::string& name : c.claims[0].obligations()) {
      if (name.find("growth: g(i) <=") != 0) left.push_back(name);
    }
    REQUIRE(left.size() + 1 == c.claims[0].obligations().size());
    c.claims[0].derivation = derivation_of(c.claims[0].laws(), left, c.claims[0].witnesses());
  }));
  // A refuted class is no row's affair: only a proved class excludes it, and of the same measure.
  const auto derived = [](Certificate& c, const std::string& text) {
    const auto found = std::find_if(c.derived.begin(), c.derived.end(),
                                    [&](const CertifiedClaim& d) { return d.text == text; });
    REQUIRE(found != c.derived.end());
    return found;
  };
  for (const CertifiedClaim& claim : good.derived) {
    INFO(claim.text);
    CHECK(after(good, [&](Certificate& c) { c.derived.erase(derived(c, claim.text)); }) !=
          AuditVerdict::kAccepted);
  }
  // True claims, said to be refuted.
  for (const std::size_t at : {std::size_t{1}, std::size_t{7}}) {
    CHECK(after(good, [&](Certificate& c) {
            CertifiedClaim& claim = c.claims[at];
            claim.verdict = "refuted";
            claim.derivation.clear();
            claim.counterexample = {{"i", "1024"}, {"value", "25"}, {"bound", "32"}};
            claim.scope = "i = 1024";
          }) != AuditVerdict::kAccepted);
  }
  // What a counterexample says of rows and the class; what more rows might read is not seen.
  for (std::size_t at = 2; at < 7; ++at) {
    const bool cache = good.claims[at].text.rfind("cache", 0) == 0;
    for (std::size_t number = 0; number < 3; ++number) {
      if (cache && number == 1) continue;
      INFO(good.claims[at].text << " " << good.claims[at].counterexample[number].first);
      CHECK(rejects(good,
                    [&](Certificate& c) { c.claims[at].counterexample[number].second += "1"; }));
    }
  }
}

TEST_CASE("a class says nothing about a claim of it under a condition") {
  const Pattern pattern = pattern_of("A = dense\nB = none\nclaim time(i) in O(1) for i <= 5");
  Certificate forged = certify(pattern, prove_and_derive(pattern));
  REQUIRE(forged.claims[0].verdict == "unknown");
  REQUIRE(std::any_of(forged.derived.begin(), forged.derived.end(),
                      [](const CertifiedClaim& d) { return d.text == "time(i) in Theta(n)"; }));
  forged.claims[0].verdict = "refuted";
  forged.claims[0].reason = "";
  for (const char* i : {"5", "1024"}) {
    forged.claims[0].counterexample = {{"i", i}, {"value", i}, {"bound", "1"}};
    forged.claims[0].scope = std::string("i = ") + i;
    CHECK(audit(to_json_text(forged), quick()).verdict != AuditVerdict::kAccepted);
  }
}

TEST_CASE("bounds that nobody asked for are certified like claims") {
  for (const char* name : {"sqrt_cached", "log_recurrence", "local_attention"}) {
    const Pattern pattern = builtin(name);
    const Certificate good = certify(pattern, prove_and_derive(pattern));
    const AuditReport report = audit(to_json_text(good), quick());
    INFO(name << "\n" << problems_of(report));
    CHECK(report.verdict == AuditVerdict::kAccepted);
    for (const std::string measure : {"time(i) in Theta(", "cache(i) in Theta(", "depth(n) = "}) {
      INFO(measure);
      CHECK(std::any_of(good.derived.begin(), good.derived.end(),
                        [&](const CertifiedClaim& d) { return d.text.rfind(measure, 0) == 0; }));
    }
    for (const CertifiedClaim& derived : good.derived) {
      for (const CertifiedClaim& claim : good.claims) CHECK(derived.text != claim.text);
    }
  }
}

TEST_CASE("refuted bounds of depth, rank and congestion are shown by paths and weights") {
  const Pattern pattern = pattern_of(
      "A = diagonal\nB = window(1) | { i - 3 : i > 3 }\n"
      "claim rank(m) <= 1\nclaim congestion(n) <= 2\nclaim congestion(n) >= 2\n"
      "claim rank(m) >= 4\nclaim depth(n) <= 3\nclaim 2*congestion(n) <= n + 1");
  const Certificate good = certificate_of(pattern);
  for (const CertifiedClaim& claim : good.claims) {
    INFO(claim.text << "\n" << claim.evidence);
    CHECK(claim.verdict == "refuted");
    CHECK(claim.evidence.empty() == (claim.text == "depth(n) <= 3"));
  }
  const Result<Certificate> read = parse_certificate(to_json_text(good));
  REQUIRE(read.ok());
  CHECK(read->claims[0].evidence == good.claims[0].evidence);
  REQUIRE(after(good, [](Certificate&) {}) == AuditVerdict::kAccepted);

  const auto with = [&](std::size_t claim, const std::string& from, const std::string& to) {
    return after(good, [&](Certificate& c) { replace(c.claims[claim].evidence, from, to); });
  };
  CHECK(with(0, "path 2 2 3", "path 2 2 4") == AuditVerdict::kRejected);    // no such read
  CHECK(with(0, "path 2 2 3", "path 1 1 2 3") == AuditVerdict::kRejected);  // shares x_1, y_1
  CHECK(with(0, "path 2 2 3", "path 2 2") == AuditVerdict::kRejected);      // ends at the cut
  CHECK(with(0, "rank(2) path 2 2 3\n", "") == AuditVerdict::kUndecided);   // one is not enough
  CHECK(with(0, "path 2 2 3", "path 2 2 3x") == AuditVerdict::kRejected);
  CHECK(with(0, "rank(2) path 2", "cache(2) path 2") == AuditVerdict::kRejected);
  CHECK(with(1, "congestion(5) path 2 3 4 7\n", "") == AuditVerdict::kRejected);  // 4 of 5 paths
  CHECK(with(1, "path 2 3 4 7", "path 2 6 7") == AuditVerdict::kRejected);        // 6 reads 5 and 3
  CHECK(with(1, "weights ", "weights -") == AuditVerdict::kRejected);
  CHECK(with(1, "weights ", "weights 1 ") == AuditVerdict::kRejected);  // one too many
  CHECK(after(good, [](Certificate& c) {
          std::string& lines = c.claims[1].evidence;
          lines.replace(lines.find("weights"), std::string::npos, "weights 1 1 1 1 1 1 1 1 1 1\n");
        }) == AuditVerdict::kUndecided);  // bounds it by 2 only
  CHECK(after(good, [](Certificate& c) { c.claims[1].counterexample[1].second = "4"; }) ==
        AuditVerdict::kRejected);  // congestion(5) = 3
  CHECK(after(good, [](Certificate& c) { c.claims[0].evidence.clear(); }) ==
        AuditVerdict::kUndecided);
  CHECK(after(good, [](Certificate& c) { c.claims[4].evidence = "depth(5) path 1 2\n"; }) ==
        AuditVerdict::kRejected);
  Certificate proved = certificate_of(builtin("sqrt_cached"));
  proved.claims[0].evidence = "rank(1) path 1 1 2\n";
  CHECK(audit(to_json_text(proved), quick()).verdict == AuditVerdict::kRejected);
}

// Nearly all weight may lie on one output that all paths take.
TEST_CASE("weights are taken as large as the search makes them, and no larger than sums can be") {
  const Certificate good = certificate_of(pattern_of(
      "f(k) = 2^k + k\nA = diagonal | lattice(f)\nB = window(1)\nclaim congestion(n) <= 6"));
  REQUIRE(good.claims[0].verdict == "refuted");
  CHECK(after(good, [](Certificate&) {}) == AuditVerdict::kAccepted);
  CHECK(after(good, [](Certificate& c) {
          replace(c.claims[0].evidence, "weights ", "weights 9000000000000000000 ");
        }) == AuditVerdict::kRejected);
}

TEST_CASE("what fails beyond the rows that are listed rests on proved forms") {
  const Pattern pattern = pattern_of(
      "A = diagonal\nB = window(3)\nclaim hops(i, j) <= 1000\nclaim depth(n) <= 5000\n"
      "claim congestion(n) <= 500\nclaim rank(m) <= depth(m) for m >= 900\n"
      "claim rank(m) >= depth(m) - 2000");
  const Certificate good = certificate_of(pattern);
  REQUIRE(good.claims[3].verdict == "proved");
  for (const std::size_t at : {0, 1, 2, 4}) CHECK(good.claims[at].verdict == "refuted");
  const AuditReport report = audit(to_json_text(good), quick());
  INFO(problems_of(report));
  REQUIRE(report.verdict == AuditVerdict::kAccepted);

  const auto form = [](Certificate& c, const std::string& text) {
    const auto found = std::find_if(c.derived.begin(), c.derived.end(),
                                    [&](const CertifiedClaim& each) { return each.text == text; });
    REQUIRE(found != c.derived.end());
    return found;
  };
  // Another value, another bound, and places where the claim holds or which it does not speak of.
  for (const auto& [name, value] :
       {std::pair{"value", "1002"}, std::pair{"bound", "999"}, std::pair{"i", "3001"},
        std::pair{"j", "2"}, std::pair{"j", "3002"}, std::pair{"j", "0"}}) {
    INFO(name << " = " << value);
    CHECK(after(good, [&](Certificate& c) {
            for (auto& [key, text] : c.claims[0].counterexample) {
              if (key == name) text = value;
            }
            c.claims[0].scope = "i = " + c.claims[0].counterexample[0].second +
                                ", j = " + c.claims[0].counterexample[1].second;
          }) == AuditVerdict::kRejected);
  }
  // A form of another measure, of other numbers, or for other rows, and none at all.
  for (const char* text : {"depth(n) = ceil((i - j) / 3)", "hops(i, j) = ceil((i - j) / 4)",
                           "hops(i, j) = i - j", "hops(i, j) = ceil((i - j) / 3) for i < 3000"}) {
    INFO(text);
    CHECK(after(good, [&](Certificate& c) {
            form(c, "hops(i, j) = ceil((i - j) / 3)")->text = text;
          }) == AuditVerdict::kRejected);
  }
  CHECK(after(good, [&](Certificate& c) {
          c.derived.erase(form(c, "hops(i, j) = ceil((i - j) / 3)"));
        }) != AuditVerdict::kAccepted);
}

// Without solvers: what the report says of places before a counterexample, in one word.
std::string about_smallest(Certificate certificate,
                           const std::function<void(Certificate&)>& change) {
  change(certificate);
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  const AuditReport report = audit(to_json_text(certificate), no_solvers);
  if (report.verdict == AuditVerdict::kRejected) {
    const bool earlier =
        problems_of(report).find("it fails before its counter") != std::string::npos;
    return earlier ? "earlier" : "rejected";
  }
  const auto said = [](const std::vector<std::string>& lines) {
    return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
      return line.find(" fails nowhere before ") != std::string::npos;
    });
  };
  if (said(report.checked)) return said(report.not_checked) ? "both" : "checked";
  return said(report.not_checked) ? "not checked" : "";
}

// A refutation at another place, where the claim fails, too.
std::function<void(Certificate&)> moved_to(
    const std::vector<std::pair<std::string, std::string>>& place, bool smallest) {
  return [=](Certificate& c) {
    CertifiedClaim& claim = c.claims.at(0);
    claim.counterexample = place;
    claim.smallest = smallest;
    claim.scope.clear();
    for (const auto& [name, value] : place) {
      if (name == "value" || name == "bound") continue;
      claim.scope += (claim.scope.empty() ? "" : ", ") + name + " = " + value;
    }
  };
}

TEST_CASE("a counterexample is the smallest where every place before it holds") {
  const Certificate pairs =
      certificate_of(pattern_of("A = diagonal\nB = window(3)\nclaim hops(i, j) <= 3"));
  REQUIRE(pairs.claims[0].scope == "i = 11, j = 1");
  REQUIRE(pairs.claims[0].smallest);
  CHECK(about_smallest(pairs, [](Certificate&) {}) == "checked");
  // "perhaps not the smallest" is no lie, wherever it is said.
  CHECK(about_smallest(pairs, [](Certificate& c) { c.claims[0].smallest = false; }).empty());
  for (const auto& [i, j, hops] : {std::array<std::string, 3>{"12", "1", "4"},
                                   {"12", "2", "4"},
                                   {"13", "3", "4"},
                                   {"20", "1", "7"}}) {
    INFO(i << ", " << j);
    const std::vector<std::pair<std::string, std::string>> place = {
        {"i", i}, {"j", j}, {"value", hops}, {"bound", "3"}};
    CHECK(about_smallest(pairs, moved_to(place, true)) == "earlier");
    CHECK(about_smallest(pairs, moved_to(place, false)).empty());
    // Whatever order the variables are told in.
    CHECK(about_smallest(pairs, moved_to({place[1], place[0], place[2], place[3]}, true)) ==
          "earlier");
  }

  const Certificate rows =
      certificate_of(pattern_of("f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n"
                                "claim time(i) <= 4 for i mod 2 = 0"));
  REQUIRE(rows.claims[0].verdict == "refuted");
  REQUIRE(rows.claims[0].smallest);
  CHECK(about_smallest(rows, [](Certificate&) {}) == "checked");
  CHECK(about_smallest(rows, moved_to({{"i", "1000"}, {"value", "24"}, {"bound", "4"}}, true)) ==
        "earlier");

  // More than two rows read i - 24 or more, which rows show.
  const Certificate kept = certificate_of(pattern_of(
      "A = { i - 3*t : t >= 0, t < 8, 3*t < i }\nB = { i - 3*t : t >= 1, t <= 8, 3*t < i }\n"
      "claim cache(i) <= 24"));
  CHECK(about_smallest(kept, moved_to({{"i", "40"}, {"value", "45"}, {"bound", "24"}}, true)) ==
        "earlier");
}

TEST_CASE("far out a proof of the rows before shows that a counterexample is the smallest") {
  const Certificate good = certificate_of(
      pattern_of("f(k) = 2^k\nA = diagonal\nB = offsets(f)\nclaim hops(i, j) <= 25"));
  REQUIRE(good.claims[0].scope == "i = 67108864, j = 1");
  REQUIRE(good.claims[0].smallest);
  CHECK(after(good, [](Certificate&) {}) == AuditVerdict::kAccepted);
  CHECK(about_smallest(good, [](Certificate&) {}) == "checked");
  const auto before = [](Certificate& c) {
    return std::find_if(c.derived.begin(), c.derived.end(), [](const CertifiedClaim& each) {
      return each.text == "hops(i, j) <= 25 for i <= 67108863";
    });
  };
  Certificate copy = good;
  REQUIRE(before(copy) != copy.derived.end());
  // Twice as far out it fails, too, and the proof is not of all rows before that.
  const std::vector<std::pair<std::string, std::string>> later = {
      {"i", "134217728"}, {"j", "1"}, {"value", "27"}, {"bound", "25"}};
  CHECK(about_smallest(good, moved_to(later, true)) == "not checked");
  CHECK(about_smallest(good, moved_to(later, false)).empty());
  const std::vector<std::pair<std::string, std::string>> same_row = {
      {"i", "67108865"}, {"j", "2"}, {"value", "26"}, {"bound", "25"}};
  CHECK(about_smallest(good, moved_to(same_row, true)) == "not checked");
  // A proof of more rows than it is of, or of other claims.
  for (const char* text :
       {"hops(i, j) <= 25 for i <= 134217727", "hops(i, j) <= 25 for i <= 67108864",
        "hops(i, j) <= 25", "hops(i, j) <= 24 for i <= 67108863"}) {
    INFO(text);
    CHECK(about_smallest(good, [&](Certificate& c) {
            before(c)->text = text;
            moved_to(later, true)(c);
          }) == "rejected");
  }
  // The lemma behind it: 2^popcount(x) <= x + 1, no less, and for naturals.
  const std::string step = "claim: hops(i, j) <= 25 for i <= 67108863";
  const auto with_fact = [&](const std::string& fact) {
    return about_smallest(good, [&](Certificate& c) {
      for (Obligation& obligation : c.obligations) {
        if (obligation.name != step) continue;
        const std::string line = "(assert " + fact + ")\n";
        obligation.script.insert(obligation.script.rfind("(assert (not "), line);
        obligation.companion.insert(obligation.companion.rfind("(check-sat)"), line);
        obligation.evidence.clear();  // which counts hypotheses
      }
    });
  };
  CHECK(with_fact("(=> (<= 0 (- i j)) (<= (pow.2 (bit.popcount (- i j))) (+ (- i j) 1)))") ==
        "checked");
  for (const char* fact : {"(=> (<= 0 (- i j)) (<= (pow.2 (bit.popcount (- i j))) (- i j)))",
                           "(<= (pow.2 (bit.popcount (- i j))) (+ (- i j) 1))",
                           "(=> (<= 0 (- i j)) (<= (pow.3 (bit.popcount (- i j))) (+ (- i j) 1)))",
                           "(=> (<= 0 i) (<= (pow.2 (bit.popcount (- i j))) (+ (- i j) 1)))",
                           "(=> (<= 0 (- i j)) (<= (pow.2 (bit.popcount i)) (+ (- i j) 1)))"}) {
    INFO(fact);
    CHECK(with_fact(fact) == "rejected");
  }
}

// Proofs about rows up to a number know values of functions around it.
TEST_CASE("values of a recursive function are taken for what they are, far out as well") {
  const Certificate good =
      certificate_of(pattern_of("f(0) = 1\nf(k + 1) = f(k) + 2\nA = window(1)\nB = offsets(f)\n"
                                "claim time(i) <= sqrt(i) + 2278 for i mod 2 = 0"));
  REQUIRE(good.claims[0].verdict == "refuted");
  REQUIRE(good.claims[0].smallest);
  REQUIRE(good.derived.size() == 1);
  CHECK(about_smallest(good, [](Certificate&) {}) == "checked");
  const auto with_fact = [&](const std::string& fact) {
    return about_smallest(good, [&](Certificate& c) {
      for (Obligation& obligation : c.obligations) {
        if (obligation.name != "claim: " + good.derived[0].text) continue;
        const std::string line = "(assert " + fact + ")\n";
        obligation.script.insert(obligation.script.rfind("(assert (not "), line);
        obligation.companion.insert(obligation.companion.rfind("(check-sat)"), line);
        obligation.evidence.clear();  // which counts hypotheses
      }
    });
  };
  CHECK(with_fact("(=> (<= 300 count.1) (<= (+ 601 (- count.1 300)) (fn.f count.1)))") ==
        "checked");
  CHECK(with_fact("(=> (<= 300 count.1) (<= (+ 602 (- count.1 300)) (fn.f count.1)))") ==
        "rejected");
  CHECK(with_fact("(=> (<= 5000 count.1) (<= (+ 10001 (- count.1 5000)) (fn.f count.1)))") ==
        "rejected");
}

TEST_CASE("whether a counterexample is the smallest is said where there is one, and nowhere else") {
  const Certificate good = certificate_of(
      pattern_of("A = diagonal\nB = window(3)\nclaim time(i) <= 3\nclaim time(i) <= 4\n"
                 "claim time(i) in Omega(n)"));
  const std::string text = to_json_text(good);
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    replace(changed, from, to);
    return read_certificate(changed).ok();
  };
  CHECK(edited("\"smallest\": true", "\"smallest\": false"));
  CHECK_FALSE(edited("\"smallest\": true", "\"smallest\": \"true\""));
  CHECK_FALSE(edited("\"smallest\": true", "\"smallest\": 1"));
  CHECK_FALSE(edited(",\n      \"smallest\": true", ""));
  CHECK_FALSE(edited("\"counterexample\": {}", "\"counterexample\": {},\n \"smallest\": true"));
  // No row is the first at which a class fails.
  REQUIRE(good.claims[2].verdict == "refuted");
  CHECK_FALSE(good.claims[2].smallest);
  CHECK(rejects(good, [](Certificate& c) { c.claims[2].smallest = true; }));
}

// Some solvers end a comment at a carriage return, and would read what follows.
TEST_CASE("scripts that readers would read differently are refused") {
  const Certificate good = certificate_of(builtin("log_cached"));
  for (const char* hidden : {"; note\r(assert false)\n", "; note\v(assert false)\n", ";\t\n"}) {
    for (const bool companion : {false, true}) {
      CHECK(rejects(good, [&](Certificate& c) {
        Obligation& step = c.obligations.front();
        (companion ? step.companion : step.script).insert(0, hidden);
      }));
    }
  }
}

// Rows from 2^60 on are not listed: what they hold is known from forms, or not at all.
TEST_CASE("rows too far out to be listed refute nothing by themselves") {
  const Pattern pattern = pattern_of(
      "A = diagonal\nB = { i - 2^t : t >= 0, 2^t < i }\n"
      "claim time(i) <= 62\nclaim time(i) >= 5 for i > 4000000000000000000");
  const Certificate good = certificate_of(pattern);
  REQUIRE(good.claims[0].verdict == "refuted");
  REQUIRE(good.claims[1].verdict == "proved");
  CHECK(after(good, [](Certificate&) {}) == AuditVerdict::kAccepted);
  // True, and said to fail: the form contradicts it. Without the form nobody knows.
  const auto forge = [](Certificate& c) {
    CertifiedClaim& claim = c.claims[1];
    claim.verdict = "refuted";
    claim.derivation.clear();
    claim.counterexample = {{"i", "5000000000000000000"}, {"value", "2"}, {"bound", "5"}};
    claim.scope = "i = 5000000000000000000";
    c.obligations.erase(std::remove_if(c.obligations.begin(), c.obligations.end(),
                                       [](const Obligation& step) {
                                         return step.name.find("time(i) >= 5") != std::string::npos;
                                       }),
                        c.obligations.end());
  };
  CHECK(after(good, forge) == AuditVerdict::kRejected);
  CHECK(after(certificate_of(pattern_of("A = diagonal\nB = { i - 2^t : t >= 0, 2^t < i }\n"
                                        "claim time(i) >= 1\nclaim time(i) >= 5 for i > "
                                        "4000000000000000000")),
              forge) != AuditVerdict::kAccepted);
}

TEST_CASE("refuted bounds on how much cache and rank are at least rest on proved ones") {
  const Pattern pattern = pattern_of(
      "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n"
      "claim cache(i) >= i - 3\nclaim rank(m) >= m - 2\nclaim cache(i) = i\n"
      "claim rank(m + 2) >= m - 1");
  const Certificate good = certificate_of(pattern);
  for (const CertifiedClaim& claim : good.claims) CHECK(claim.verdict == "refuted");
  REQUIRE(good.derived.size() == 4);
  CHECK(good.derived[0].text == "cache(i) <= 3 for i = 7");
  CHECK(good.derived[3].text == "rank(m + 2) <= 3 for m = 5");
  const AuditReport report = audit(to_json_text(good), quick());
  INFO(problems_of(report));
  REQUIRE(report.verdict == AuditVerdict::kAccepted);

  CHECK(after(good, [](Certificate& c) { c.derived.clear(); }) == AuditVerdict::kRejected);
  CHECK(after(good, [](Certificate& c) { c.derived[0].verdict = "checked"; }) ==
        AuditVerdict::kRejected);
  CHECK(after(good, [](Certificate& c) { c.derived[0].text = "cache(i) <= 3"; }) ==
        AuditVerdict::kRejected);
  CHECK(after(good, [](Certificate& c) { c.derived[0].text = "cache(i) <= 2 for i = 7"; }) ==
        AuditVerdict::kRejected);
  CHECK(after(good, [](Certificate& c) {
          c.derived[0].text = "cache(i) <= 3 for i = 7\n  claim cache(i) <= 0";
        }) == AuditVerdict::kRejected);
  // Without what it rests on, a refutation is not seen to hold, where the next row does not read
  // all that stays.
  const auto forget = [](const std::string& text) {
    return [=](Certificate& c) {
      const auto gone = [&](const auto& each) { return each.text == text; };
      const auto step = [&](const Obligation& o) { return o.name == "claim: " + text; };
      REQUIRE(std::any_of(c.derived.begin(), c.derived.end(), gone));
      c.derived.erase(std::remove_if(c.derived.begin(), c.derived.end(), gone), c.derived.end());
      c.obligations.erase(std::remove_if(c.obligations.begin(), c.obligations.end(), step),
                          c.obligations.end());
    };
  };
  CHECK(after(good, forget("cache(i) <= 3 for i = 7")) == AuditVerdict::kAccepted);
  const Certificate range = certificate_of(
      pattern_of("A = diagonal\nB = { max(1, i - 4)..i - 1 }\nclaim cache(i) >= i - 3"));
  REQUIRE(range.claims[0].verdict == "refuted");
  CHECK(after(range, [](Certificate&) {}) == AuditVerdict::kAccepted);
  CHECK(after(range, forget("cache(i) <= 4 for i = 8")) == AuditVerdict::kUndecided);
  CHECK(after(good, [](Certificate& c) {
          for (auto& [name, value] : c.claims[0].counterexample) {
            if (name == "value") value = "2";  // three are read
          }
        }) == AuditVerdict::kRejected);
}

TEST_CASE("a counterexample is one of what the claim speaks of") {
  const Certificate proved = certificate_of(
      pattern_of("A = diagonal\nB = window(1)\nclaim time(i) <= i - j + 1\nclaim 1 <= i"));
  for (const CertifiedClaim& claim : proved.claims) REQUIRE(claim.verdict == "proved");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  // The claim is false there, but j < i and every token is 1 or more.
  const auto refuted = [&](std::size_t at, const std::string& scope, const Pairs& found) {
    return after(proved, [&](Certificate& c) {
      CertifiedClaim& claim = c.claims[at];
      const std::string step = "claim: " + claim.text;
      claim.verdict = "refuted";
      claim.scope = scope;
      claim.derivation.clear();
      claim.counterexample = found;
      c.obligations.erase(std::remove_if(c.obligations.begin(), c.obligations.end(),
                                         [&](const Obligation& o) { return o.name == step; }),
                          c.obligations.end());
    });
  };
  CHECK(refuted(0, "i = 3, j = 9", {{"i", "3"}, {"j", "9"}, {"value", "2"}, {"bound", "-5"}}) ==
        AuditVerdict::kRejected);
  CHECK(refuted(1, "i = 0", {{"i", "0"}, {"value", "1"}, {"bound", "0"}}) ==
        AuditVerdict::kRejected);
  CHECK(refuted(1, "i = 3, k = 1", {{"i", "3"}, {"k", "1"}, {"value", "1"}, {"bound", "3"}}) ==
        AuditVerdict::kRejected);
}

TEST_CASE("a claim that was checked is held to its range and no further") {
  // Up to i = 5 four steps of one are enough; further out some pair needs more.
  const Pattern pattern = pattern_of(
      "A = diagonal\nB = { floor(i / 2) : i >= 2 } | { i - 1 : i >= 2 }\n"
      "claim hops(i, j) <= 4");
  ProveOptions narrow;
  for (const std::int64_t rows : {5, 40}) {
    narrow.check_pairs_up_to = rows;
    const Certificate certificate = certify(pattern, prove(pattern, narrow));
    INFO("up to " << rows << ": " << certificate.claims.at(0).verdict);
    CHECK(certificate.claims.at(0).verdict == (rows == 5 ? "checked" : "refuted"));
    CHECK(after(certificate, [](Certificate&) {}) == AuditVerdict::kAccepted);
  }
  narrow.check_pairs_up_to = 5;
  CHECK(after(certify(pattern, prove(pattern, narrow)), [](Certificate& c) {
          c.claims[0].checked_up_to = "40";
          c.claims[0].scope = "n <= 40";
        }) == AuditVerdict::kRejected);
}

TEST_CASE("a cache that was checked is recounted where shapes show what stays") {
  // live(i + 1) is within live(i) and x and y of i + 1, which no rule of the prover says.
  const std::string claims = "claim cache(i + 1) <= cache(i) + 2\nclaim cache(i) <= 3 * i\n";
  ProveOptions near;
  near.check_up_to = 200;
  for (const char* body : {"f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n",
                           "f(k) = k^2 + 1\nA = window(5)\nB = lattice(f)\n",
                           "f(k) = k^2 + 1\nA = diagonal\nB = lattice(f) | window(7)\n"}) {
    INFO(body);
    const Pattern pattern = pattern_of(body + claims);
    const Certificate good = certify(pattern, prove(pattern, near));
    REQUIRE(good.claims[0].verdict == "checked");
    REQUIRE(good.claims[0].checked_up_to == "199");  // of i and i + 1
    CHECK(after(good, [](Certificate&) {}) == AuditVerdict::kAccepted);
  }
  // A claim that fails, said to have been checked.
  const Pattern pattern =
      pattern_of("f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\nclaim cache(i + 1) <= cache(i)\n");
  const Certificate refuted = certify(pattern, prove(pattern, near));
  REQUIRE(refuted.claims[0].verdict == "refuted");
  const auto forge = [](Certificate& c) {
    CertifiedClaim& claim = c.claims[0];
    claim.verdict = "checked";
    claim.counterexample.clear();
    claim.smallest = false;
    claim.checked_up_to = "40";
    claim.scope = "n <= 40";
    claim.evidence.clear();
    c.derived.clear();
  };
  CHECK(after(refuted, forge) == AuditVerdict::kRejected);
  // Where nothing is known of later rows but the rows, nothing is counted; and no further than
  // rows are.
  const Pattern open =
      pattern_of("A = diagonal\nB = { i - t : t >= 1, t < i, popcount(t) = 1 }\n" + claims);
  const Certificate unseen = certify(open, prove(open, near));
  if (unseen.claims[0].verdict == "checked") {
    CHECK(after(unseen, [](Certificate&) {}) != AuditVerdict::kRejected);
  }
  ProveOptions far;
  far.check_up_to = 1100;
  const Pattern long_one = pattern_of("f(k) = k^2 + 1\nA = diagonal\nB = lattice(f)\n" + claims);
  Certificate long_checked = certify(long_one, prove(long_one, far));
  REQUIRE(long_checked.claims[0].checked_up_to == "1099");
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  const AuditReport report = audit(to_json_text(long_checked), no_solvers);
  CHECK(report.verdict == AuditVerdict::kUndecided);
  CHECK(problems_of(report).find("but it was evaluated up to ") != std::string::npos);
}

TEST_CASE("tampered certificates are rejected") {
  const Certificate good = certificate_of(builtin("sqrt_cached"));
  REQUIRE(after(good, [](Certificate&) {}) == AuditVerdict::kAccepted);
  const std::vector<std::function<void(Certificate&)>> tampers = {
      [](Certificate& c) { c.sha256[0] = c.sha256[0] == '0' ? '1' : '0'; },
      [](Certificate& c) { c.pattern = "other"; },
      [](Certificate& c) { replace(c.source, "k^2", "k^3"); },
      [](Certificate& c) { replace(c.source, "sqrt(i) + 2", "sqrt(i) + 1"); },
      [](Certificate& c) { replace(c.claims[0].text, "+ 2", "+ 1"); },
      [](Certificate& c) { c.claims.pop_back(); },
      [](Certificate& c) { c.claims[0].verdict = "certain"; },
      [](Certificate& c) { c.claims[0].derivation.clear(); },
      [](Certificate& c) { c.claims[0].derivation.back().obligations.clear(); },
      [](Certificate& c) { c.causality.verdict = "unknown"; },
      [](Certificate& c) { c.obligations.pop_back(); },
      [](Certificate& c) { c.obligations.push_back(c.obligations[0]); },
      [](Certificate& c) { c.obligations[0].expected = "sat"; },
      [](Certificate& c) { replace(c.obligations[0].script, "(check-sat)", "(exit)"); },
      [](Certificate& c) { replace(c.obligations[0].script, "(assert ", "(assert (not "); },
      [](Certificate& c) {
        replace(c.obligations[0].script, "(assert ", "(assert false)\n(assert ");
      },
      [](Certificate& c) {  // inconsistent hypotheses in both
        replace(c.obligations[0].script, "(assert ", "(assert false)\n(assert ");
        replace(c.obligations[0].companion, "(assert ", "(assert false)\n(assert ");
      },
      [](Certificate& c) {  // a goal that does not follow
        const std::size_t at = c.obligations.back().script.rfind("(assert (not ");
        c.obligations.back().script.replace(at, std::string::npos,
                                            "(assert (not false))\n(check-sat)\n");
      },
  };
  for (std::size_t at = 0; at < tampers.size(); ++at) {
    INFO("tamper " << at);
    CHECK(after(good, tampers[at]) == AuditVerdict::kRejected);
  }
}

TEST_CASE("a bound in a step's name may use what the pattern has, and nothing else") {
  const Pattern pattern = builtin("sqrt_cached");
  const Certificate good = certify(pattern, prove_and_derive(pattern));
  const std::string descent = "descent: ";
  for (const char* const bound :
       {"g(i - j) + 1", "log2(i - v) + 1", "log2(time(i)) + 1", "log2() + 1"}) {
    Certificate forged = good;
    int renamed = 0;
    for (CertifiedClaim& claim : forged.derived) {
      for (RuleApplication& link : claim.derivation) {
        for (std::string& name : link.obligations) {
          if (name.find(descent) != 0) continue;
          name = descent + bound;
          ++renamed;
        }
      }
    }
    INFO(bound);
    CHECK(renamed > 0);
    CHECK(audit(to_json_text(forged), quick()).verdict == AuditVerdict::kRejected);
  }
}

TEST_CASE("a false claim under a correct hash is caught by its goal") {
  Certificate forged = certificate_of(builtin("sqrt_cached"));
  replace(forged.source, "time(i) <= sqrt(i) + 2", "time(i) <= sqrt(i) + 1");
  const Pattern pattern = pattern_of(Source{"forged", forged.source});
  forged.sha256 = pattern.sha256();
  const std::string claim = forged.claims[0].text;
  replace(forged.claims[0].text, "+ 2", "+ 1");
  const auto rename = [&](std::string& name) {
    const std::size_t at = name.find(claim);
    if (at != std::string::npos) name.replace(at, claim.size(), forged.claims[0].text);
  };
  for (Obligation& obligation : forged.obligations) rename(obligation.name);
  for (RuleApplication& link : forged.claims[0].derivation) {
    for (std::string& name : link.obligations) rename(name);
  }
  const AuditReport report = audit(to_json_text(forged), quick());
  CHECK(report.verdict == AuditVerdict::kRejected);
  CHECK(problems_of(report).find("its goal is not what has to be shown") != std::string::npos);
}

// What the fuzzer starts from, and seeded edits of it; tests/fuzz looks further.
TEST_CASE("the fuzzer's certificates and edits of them are survived and not accepted") {
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  no_solvers.rows_to_evaluate = 6;
  std::mt19937 random(9);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HEDDLE_TESTS_DIR) +
                                                               "/fuzz/corpus/certificates")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    ++files;
    for (int round = 0; round < 40; ++round) {
      std::string edited = text;
      for (int edits = round % 4; edits > 0; --edits) {
        const std::size_t at = random() % edited.size();
        edited.replace(at, random() % 3, edited.substr(random() % edited.size(), random() % 12));
      }
      INFO(entry.path().filename().string() << ", round " << round);
      CHECK(audit(edited, no_solvers).verdict != AuditVerdict::kAccepted);
      Result<Certificate> read = read_certificate(edited);
      if (!read.ok()) continue;
      CHECK(audit(to_json_text(*read), no_solvers).verdict != AuditVerdict::kAccepted);
    }
  }
  CHECK(files >= 5);
}

TEST_CASE("damaged files are refused, not crashed on") {
  const std::string text = to_json_text(certificate_of(builtin("linear_recurrence")));
  std::mt19937 random(3);
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  for (int round = 0; round < 200; ++round) {
    std::string damaged = text;
    const std::size_t at = random() % damaged.size();
    if (round % 2 == 0)
      damaged[at] = static_cast<char>(random() % 256);
    else
      damaged.resize(at);
    CHECK(audit(damaged, no_solvers).verdict != AuditVerdict::kAccepted);
  }
}
