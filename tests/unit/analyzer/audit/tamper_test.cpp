// SPDX-License-Identifier: Apache-2.0
// Attacks on certificates. Bytes of the file are changed at random; fields are changed by someone
// who seals the file again. No solver is asked: what is caught here is caught by derivation alone.
// HEDDLE_TAMPERS sets how many edits of each kind are tried.
#include <cstdlib>
#include <functional>
#include <map>
#include <random>

#include "analyzer/audit/arithmetic.hpp"
#include "analyzer/audit/audit.hpp"
#include "analyzer/proof/certify.hpp"
#include "tests/unit/analyzer/certified_patterns.hpp"

using namespace heddle;
using heddle::testing::builtin;
using heddle::testing::pattern_of;

namespace {

enum class Outcome { kRejected, kUnknownRule, kLeftToSolvers };

// With no solver installed, what is not rejected is left to them or rests on a rule nobody knows.
Outcome outcome_of(const std::string& text) {
  AuditOptions no_solvers;
  no_solvers.solvers = {};
  no_solvers.rows_to_evaluate = 12;
  const AuditReport report = audit(text, no_solvers);
  CHECK(report.verdict != AuditReport::Verdict::kAccepted);
  if (report.verdict == AuditReport::Verdict::kRejected) return Outcome::kRejected;
  for (const std::string& problem : report.problems) {
    if (problem.find("a rule that is not known") != std::string::npos) return Outcome::kUnknownRule;
  }
  return Outcome::kLeftToSolvers;
}

int rounds(int usual) {
  const char* wanted = std::getenv("HEDDLE_TAMPERS");
  return wanted != nullptr ? std::atoi(wanted) : usual;
}

const std::vector<Certificate>& certificates() {
  static const std::vector<Certificate> kAll = [] {
    std::vector<Certificate> all;
    for (const char* name : {"sqrt_cached", "log_recurrence", "strided_attention", "chacal",
                             "linear_recurrence", "sqrt_recurrence"}) {
      const Pattern pattern = builtin(name);
      all.push_back(certify(pattern, prove_and_derive(pattern)));
    }
    const Pattern mixed = pattern_of(
        "f(0) = 1\nf(1) = 2\nf(k + 2) = f(k + 1) + f(k)\nA = diagonal\n"
        "B = { max(1, i - 3)..i - 1 }\n"
        "claim depth(n) = n - 1\nclaim time(i) in O(1)\nclaim time(i) <= 3\nclaim reaches(j, "
        "i)\nclaim f(i) >= i\nclaim cache(i) >= i\nclaim rank(m) = m\nclaim time(i) in Omega(n)");
    all.push_back(certify(mixed, prove(mixed)));
    const std::vector<Certificate>& others = heddle::testing::certified();
    all.insert(all.end(), others.begin(), others.end());
    return all;
  }();
  return kAll;
}

// What a certificate says: all but its remarks, the comments in its scripts, its tools, and the
// evidence, which says why and not what.
std::string meaning_of(Certificate certificate) {
  certificate.tools.clear();
  const auto without_comments = [](const std::string& script) {
    std::string text;
    for (std::size_t at = 0; at < script.size();) {
      const std::size_t end = std::min(script.find('\n', at), script.size());
      if (end > at && script[at] != ';') text += script.substr(at, end - at) + "\n";
      at = end + 1;
    }
    return text;
  };
  certificate.causality.reason = "";
  for (CertifiedClaim& claim : certificate.claims) claim.reason = "";
  for (CertifiedClaim& claim : certificate.derived) claim.reason = "";
  for (Obligation& step : certificate.obligations) {
    step.statement = "";
    step.evidence = "";
    step.script = without_comments(step.script);
    step.companion = without_comments(step.companion);
  }
  return to_json_text(certificate);
}

// Every string of a certificate, in a fixed order.
std::vector<std::string*> texts_of(Certificate& certificate) {
  std::vector<std::string*> texts{&certificate.pattern, &certificate.source, &certificate.sha256};
  const auto pairs = [&](std::vector<std::pair<std::string, std::string>>& all) {
    for (auto& [key, value] : all) texts.insert(texts.end(), {&key, &value});
  };
  const auto claim = [&](CertifiedClaim& all) {
    texts.insert(texts.end(), {&all.text, &all.verdict, &all.scope, &all.checked_up_to});
    for (RuleApplication& link : all.derivation) {
      texts.push_back(&link.rule);
      pairs(link.parameters);
      for (std::string& name : link.obligations) texts.push_back(&name);
    }
    for (std::string& theorem : all.assumes) texts.push_back(&theorem);
    pairs(all.counterexample);
  };
  claim(certificate.causality);
  for (CertifiedClaim& each : certificate.claims) claim(each);
  for (CertifiedClaim& each : certificate.derived) claim(each);
  for (Obligation& step : certificate.obligations) {
    texts.insert(texts.end(), {&step.name, &step.expected, &step.script, &step.companion});
  }
  return texts;
}

// Changes, removes, doubles or swaps a byte.
void edit(std::string& text, std::mt19937& random) {
  const std::size_t at = random() % text.size();
  switch (random() % 4) {
    case 0:
      text[at] = static_cast<char>(text[at] ^ (1 << random() % 7));
      break;
    case 1:
      text.erase(at, 1 + random() % 3);
      break;
    case 2:
      text.insert(at, 1, text[random() % text.size()]);
      break;
    default:
      std::swap(text[at], text[random() % text.size()]);
  }
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Inserts the line before the last assertion of a script, or before the end of a companion.
void insert_hypothesis(std::string& script, const std::string& line, bool companion) {
  const std::size_t at = companion ? script.rfind("(check-sat)") : script.rfind("(assert (not ");
  REQUIRE(at != std::string::npos);
  script.insert(at, line + "\n");
}

using Tamper = std::function<bool(Certificate&, std::mt19937&)>;  // false: nothing to change here

CertifiedClaim* any_claim(Certificate& c, std::mt19937& random, const std::string& verdict) {
  std::vector<CertifiedClaim*> found;
  for (std::vector<CertifiedClaim>* list : {&c.claims, &c.derived}) {
    for (CertifiedClaim& claim : *list) {
      if (verdict.empty() || claim.verdict == verdict) found.push_back(&claim);
    }
  }
  return found.empty() ? nullptr : found[random() % found.size()];
}
Obligation& any_step(Certificate& c, std::mt19937& random) {
  return c.obligations[random() % c.obligations.size()];
}
// The number at a random place of the text, made one larger.
bool raise_a_number(std::string& text, std::mt19937& random) {
  const std::size_t start = random() % text.size();
  for (std::size_t step = 0; step < text.size(); ++step) {
    const std::size_t at = (start + step) % text.size();
    const bool alone = at == 0 || text[at - 1] == ' ' || text[at - 1] == '(';
    if (!alone || std::isdigit(static_cast<unsigned char>(text[at])) == 0) continue;
    text[at] = text[at] == '9' ? '1' : static_cast<char>(text[at] + 1);
    return true;
  }
  return false;
}

const std::map<std::string, Tamper>& tampers() {
  static const std::map<std::string, Tamper> kAll = {
      {"a coefficient of a script and its companion",
       [](Certificate& c, std::mt19937& random) {
         Obligation& step = any_step(c, random);
         const std::string before = step.script;
         if (!raise_a_number(step.script, random)) return false;
         return step.script.find("(assert") != std::string::npos && before != step.script &&
                before.find("; ") != std::string::npos;
       }},
      {"an inconsistent hypothesis in both",
       [](Certificate& c, std::mt19937& random) {
         Obligation& step = any_step(c, random);
         const char* lines[] = {"(assert false)", "(assert (= 0 1))", "(assert (<= 1 0))",
                                "(assert (< i i))"};
         const std::string line = lines[random() % 4];
         insert_hypothesis(step.script, line, false);
         insert_hypothesis(step.companion, line, true);
         return true;
       }},
      {"a hypothesis that only helps",
       [](Certificate& c, std::mt19937& random) {
         Obligation& step = any_step(c, random);
         const std::size_t at = step.script.rfind("(assert (not ") + 13;
         const std::string goal = step.script.substr(at, step.script.rfind("))\n(check") - at);
         insert_hypothesis(step.script, "(assert " + goal + ")", false);
         insert_hypothesis(step.companion, "(assert " + goal + ")", true);
         return true;
       }},
      {"a trivially unsat script in place of the real one",
       [](Certificate& c, std::mt19937& random) {
         Obligation& step = any_step(c, random);
         step.script = "(set-logic QF_LIA)\n(assert (not true))\n(check-sat)\n";
         step.companion = "(set-logic QF_LIA)\n(check-sat)\n";
         return true;
       }},
      {"scripts exchanged",
       [](Certificate& c, std::mt19937& random) {
         Obligation& x = any_step(c, random);
         Obligation& y = any_step(c, random);
         std::swap(x.script, y.script);
         std::swap(x.companion, y.companion);
         return &x != &y;
       }},
      {"companions exchanged",
       [](Certificate& c, std::mt19937& random) {
         Obligation& x = any_step(c, random);
         Obligation& y = any_step(c, random);
         std::swap(x.companion, y.companion);
         return &x != &y;
       }},
      {"a step deleted",
       [](Certificate& c, std::mt19937& random) {
         const std::size_t at = random() % c.obligations.size();
         const std::string name = c.obligations[at].name;
         c.obligations.erase(c.obligations.begin() + static_cast<std::ptrdiff_t>(at));
         if (random() % 2 == 0) return true;
         for (CertifiedClaim& claim : c.claims) {  // and every mention of it
           std::vector<std::string> left;
           for (const std::string& other : claim.obligations()) {
             if (other != name) left.push_back(other);
           }
           claim.derivation = derivation_of(claim.laws(), left, claim.witnesses());
         }
         return true;
       }},
      {"a step doubled",
       [](Certificate& c, std::mt19937& random) {
         c.obligations.push_back(any_step(c, random));
         return true;
       }},
      {"a step renamed everywhere",
       [](Certificate& c, std::mt19937& random) {
         Obligation& step = any_step(c, random);
         const std::string from = step.name, to = "x" + step.name;
         step.name = to;
         const auto rename = [&](CertifiedClaim& claim) {
           std::vector<std::string> names = claim.obligations();
           for (std::string& name : names) {
             if (name == from) name = to;
           }
           claim.derivation = derivation_of(claim.laws(), names, claim.witnesses());
         };
         rename(c.causality);
         for (CertifiedClaim& claim : c.claims) rename(claim);
         for (CertifiedClaim& claim : c.derived) rename(claim);
         return true;
       }},
      {"a verdict upgraded",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "");
         const CertifiedClaim* model = any_claim(c, random, "proved");
         if (claim == nullptr || model == nullptr || claim->verdict == "proved") return false;
         const std::string text = claim->text;
         *claim = *model;
         claim->text = text;
         return true;
       }},
      {"a claim made stronger, source and hash included",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "proved");
         if (claim == nullptr) return false;
         const std::string from = claim->text;
         std::string to = from;
         const std::size_t at = to.rfind(' ');
         if (at == std::string::npos || to.find("= ") == std::string::npos) return false;
         to += " - 1";
         replace_all(c.source, "claim " + from, "claim " + to);
         for (std::string* text : texts_of(c)) {
           if (text != &c.source && text->find("(") != 0) replace_all(*text, from, to);
         }
         const Pattern pattern = pattern_of(Source{"forged", c.source});
         c.sha256 = pattern.sha256();
         return pattern.canonical_text() == c.source;
       }},
      {"another side of a class, source and hash included",
       [](Certificate& c, std::mt19937& random) {
         const CertifiedClaim* claim = any_claim(c, random, "proved");
         const char* names[] = {" in O(", " in Omega(", " in Theta("};
         const std::string from = claim == nullptr ? "" : claim->text;
         std::string to = from;
         for (const char* name : names) {
           const std::size_t at = from.find(name);
           if (at == std::string::npos) continue;
           to.replace(at, std::string(name).size(), names[random() % 3]);
         }
         if (to == from) return false;
         replace_all(c.source, "claim " + from + "\n", "claim " + to + "\n");
         for (std::string* text : texts_of(c)) {
           if (*text == from) *text = to;
         }
         c.sha256 = pattern_of(Source{"forged", c.source}).sha256();
         return true;
       }},
      {"the text of a claim",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "");
         return raise_a_number(claim->text, random);
       }},
      {"another pattern under the same proofs",
       [](Certificate& c, std::mt19937& random) {
         const Certificate& other = certificates()[random() % certificates().size()];
         if (other.pattern == c.pattern) return false;
         c.source = other.source;
         c.sha256 = other.sha256;
         c.pattern = other.pattern;
         return true;
       }},
      {"another set under the same claims",
       [](Certificate& c, std::mt19937&) {
         // Whom a proof of hops serves, it may serve with other inputs too; not so with time.
         if (c.source.find("claim time(i)") == std::string::npos) return false;
         const std::string from = c.source;
         replace_all(c.source, "A = diagonal", "A = window(2)");
         replace_all(c.source, "A = dense", "A = diagonal");
         if (c.source == from) return false;
         const Pattern pattern = pattern_of(Source{"forged", c.source});
         c.sha256 = pattern.sha256();
         return pattern.canonical_text() == c.source;
       }},
      {"the hash",
       [](Certificate& c, std::mt19937& random) {
         char& digit = c.sha256[random() % c.sha256.size()];
         digit = digit == '0' ? '1' : '0';
         return true;
       }},
      {"a law dropped",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "proved");
         if (claim == nullptr) return false;
         std::set<std::string> laws = claim->laws();
         laws.erase(laws.begin());
         claim->derivation = derivation_of(laws, claim->obligations(), claim->witnesses());
         return true;
       }},
      {"a law added",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "proved");
         if (claim == nullptr) return false;
         std::set<std::string> laws = claim->laws();
         if (!laws.insert("live set: at most every position").second) return false;
         claim->derivation = derivation_of(laws, claim->obligations(), claim->witnesses());
         return true;
       }},
      {"an assumption dropped or added",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "proved");
         if (claim == nullptr) return false;
         if (claim->assumes.empty())
           claim->assumes.push_back("Goldbach");
         else
           claim->assumes.clear();
         return true;
       }},
      {"the scope widened",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "");
         if (claim->scope == "all n") return false;
         claim->scope = "all n";
         return true;
       }},
      {"the witnesses of a class",
       [](Certificate& c, std::mt19937& random) {
         for (CertifiedClaim& claim : c.claims) {
           if (claim.verdict != "proved" || claim.witnesses().empty()) continue;
           auto witnesses = claim.witnesses();
           witnesses[random() % witnesses.size()].second = std::to_string(random() % 100 + 20);
           claim.derivation = derivation_of(claim.laws(), claim.obligations(), witnesses);
           return true;
         }
         return false;
       }},
      {"claims in another order",
       [](Certificate& c, std::mt19937&) {
         if (c.claims.size() < 2) return false;
         std::swap(c.claims.front(), c.claims.back());
         return true;
       }},
      {"a claim removed",
       [](Certificate& c, std::mt19937& random) {
         if (c.claims.empty()) return false;
         c.claims.erase(c.claims.begin() + static_cast<std::ptrdiff_t>(random() % c.claims.size()));
         return true;
       }},
      {"the expected answer",
       [](Certificate& c, std::mt19937& random) {
         any_step(c, random).expected = "sat";
         return true;
       }},
      {"the first place where a class fails",
       [](Certificate& c, std::mt19937&) {
         for (CertifiedClaim& claim : c.claims) {
           if (claim.verdict != "refuted" || claim.smallest) continue;
           claim.smallest = true;
           return true;
         }
         return false;
       }},
      {"a counterexample that is none",
       [](Certificate& c, std::mt19937& random) {
         CertifiedClaim* claim = any_claim(c, random, "refuted");
         if (claim == nullptr) return false;
         claim->counterexample[0].second = "1";
         claim->counterexample[1].second = "1";
         return true;
       }},
  };
  return kAll;
}

// With one hypothesis more in the steps whose name begins so.
Certificate with_fact(Certificate forged, const std::string& name, const std::string& fact) {
  bool found = false;
  for (Obligation& step : forged.obligations) {
    if (step.name.rfind(name, 0) != 0) continue;
    found = true;
    insert_hypothesis(step.script, "(assert " + fact + ")", false);
    insert_hypothesis(step.companion, "(assert " + fact + ")", true);
    step.evidence.clear();  // which counts hypotheses
  }
  REQUIRE(found);
  return forged;
}

}  // namespace

TEST_CASE("sound certificates are left to the solvers and nothing else") {
  for (const Certificate& certificate : certificates()) {
    AuditOptions no_solvers;
    no_solvers.solvers = {};
    const AuditReport report = audit(to_json_text(certificate), no_solvers);
    for (const std::string& problem : report.problems) {
      INFO(certificate.pattern << ": " << problem);
      CHECK(problem.find("nothing confirms ") == 0);
    }
  }
}

TEST_CASE("an edited byte is noticed") {
  std::mt19937 random(1);
  std::vector<std::string> originals;
  for (const Certificate& certificate : certificates())
    originals.push_back(to_json_text(certificate));
  for (int round = rounds(300); round > 0; --round) {
    const std::string& original = originals[random() % originals.size()];
    std::string text = original;
    edit(text, random);
    if (text == original) continue;
    INFO("round " << round);
    CHECK(outcome_of(text) == Outcome::kRejected);
  }
}

TEST_CASE("an edited byte under a new seal is noticed unless it means nothing") {
  std::mt19937 random(2);
  int rejected = 0, unknown_rules = 0, same = 0;
  for (int round = rounds(300); round > 0; --round) {
    const Certificate& original = certificates()[random() % certificates().size()];
    Certificate forged = original;
    const std::vector<std::string*> texts = texts_of(forged);
    std::string& text = *texts[random() % texts.size()];
    if (text.empty()) continue;
    edit(text, random);
    const std::string sealed = to_json_text(forged);
    const Result<Certificate> read = parse_certificate(sealed);
    if (read.ok() && meaning_of(*read) == meaning_of(original)) {
      ++same;
      continue;
    }
    const Outcome outcome = outcome_of(sealed);
    INFO("round " << round << " of " << original.pattern << ": " << text);
    CHECK(outcome != Outcome::kLeftToSolvers);
    ++(outcome == Outcome::kRejected ? rejected : unknown_rules);
  }
  WARN(rejected << " rejected, " << unknown_rules << " refused for a rule that is not known, "
                << same << " identical in meaning");
}

// The name of the first step of one certificate that the other has not.
std::string missing_step(const Certificate& certificate, const Certificate& other) {
  for (const Obligation& step : certificate.obligations) {
    const bool there = std::any_of(other.obligations.begin(), other.obligations.end(),
                                   [&](const Obligation& each) { return each.name == step.name; });
    if (!there) return step.name;
  }
  return "";
}

TEST_CASE("tampering with what a certificate says is rejected") {
  std::mt19937 random(3);
  std::map<std::string, int> tried;
  for (int round = rounds(300); round > 0;) {
    for (const auto& [what, tamper] : tampers()) {
      --round;
      for (int attempt = 0; attempt < 20; ++attempt) {
        const Certificate& original = certificates()[random() % certificates().size()];
        Certificate forged = original;
        if (!tamper(forged, random) || meaning_of(forged) == meaning_of(original)) continue;
        INFO(what << " of " << original.pattern << ", round " << round);
        const std::string sealed = to_json_text(forged);
        if (outcome_of(sealed) != Outcome::kRejected) {
          // That rows read a place is listed where it is known, used or not: without it there may
          // be a proof of the same claims still.
          CHECK(std::string(what) == "a step deleted");
          CHECK(missing_step(original, forged).rfind("reads i - ", 0) == 0);
          CHECK(audit(sealed, {}).verdict == AuditReport::Verdict::kAccepted);
        }
        ++tried[what];
        break;
      }
    }
  }
  for (const auto& [what, tamper] : tampers()) {
    INFO(what);
    CHECK(tried[what] > 0);
  }
}

// Evidence may be changed to other evidence, and be left out; what shows nothing is rejected.
TEST_CASE("tampered evidence is rejected or is evidence") {
  std::mt19937 random(4);
  int rejected = 0, still_evidence = 0;
  for (int round = rounds(250); round > 0; --round) {
    Certificate forged = certificates()[random() % certificates().size()];
    if (forged.obligations.empty()) continue;
    Obligation& step = any_step(forged, random);
    const std::string before = step.evidence;
    if (before.empty()) continue;  // solvers alone show it
    switch (random() % 4) {
      case 0:
        edit(step.evidence, random);
        break;
      case 1:
        raise_a_number(step.evidence, random);
        break;
      case 2: {  // a multiplier negated
        const std::size_t at = step.evidence.find("(1 ", random() % step.evidence.size());
        if (at != std::string::npos) step.evidence.insert(at + 1, "-");
        break;
      }
      default:
        step.evidence = any_step(forged, random).evidence;
    }
    if (step.evidence == before) continue;
    const Result<auditing::Script> script = auditing::read_script(step);
    REQUIRE(script.ok());
    const bool holds =
        !step.evidence.empty() && !auditing::check_evidence(*script, step.evidence).has_value();
    const Outcome outcome = outcome_of(to_json_text(forged));
    INFO("round " << round << ": " << before << " became " << step.evidence);
    CHECK((outcome == Outcome::kRejected) != (holds || step.evidence.empty()));
    ++(outcome == Outcome::kRejected ? rejected : still_evidence);
  }
  WARN(rejected << " rejected, " << still_evidence << " other evidence for the same step");
  CHECK(rejected > still_evidence);
}

TEST_CASE("a member named twice, or other layout, is refused") {
  std::string text = to_json_text(certificates()[0]);
  const std::size_t at = text.find("\"verdict\"");
  text.insert(at, "\"verdict\": \"refuted\",\n    ");
  CHECK(outcome_of(text) == Outcome::kRejected);
  CHECK(outcome_of(" " + to_json_text(certificates()[0])) == Outcome::kRejected);
}

TEST_CASE("hypotheses that only look like instances of a rule are refused") {
  const std::vector<std::string> false_facts = {
      "(=> (<= 0 i) (<= (+ i 2) (pow.2 i)))",                // 2^i >= i + 2
      "(=> (= i 0) (= (pow.2 i) 2))",                        // 2^0 = 2
      "(=> (< 2 i) (<= 9 (pow.2 i)))",                       // 2^3 >= 9
      "(=> (< -1 i) (<= 1 (pow.2 i)))",                      // -1 is a symbol here
      "(=> (and (<= 0 i) (< i 2)) (<= (* 2 (pow.2 i)) 3))",  // 2 * 2^1 <= 3
      "(=> (and (<= 0 i) (<= i count.1)) (<= (* 2 (pow.2 i)) (pow.2 count.1)))",
      "(<= 2 i)",                                              // a narrower range
      "(and (<= (* 2 i) count.1) (< count.1 (+ (* 2 i) 2)))",  // i as a quotient
      "(=> (<= 1 i) (and (<= 0 log2.1) (<= (pow.2 log2.1) (+ i 5)) "
      "(< (+ i 5) (* 2 (pow.2 log2.1)))))",  // a second definition
      "(=> (<= 1 i) (and (<= 0 count.1) (<= (pow.2 count.1) i) (< i (* 2 (pow.2 count.1)))))",
  };
  const Pattern pattern = builtin("log_recurrence");
  const Certificate original = certify(pattern, prove(pattern));
  for (const std::string& fact : false_facts) {
    const Certificate forged = with_fact(original, "claim: time(i) <= log2(i) + 2", fact);
    REQUIRE(meaning_of(forged) != meaning_of(original));
    INFO(fact);
    CHECK(outcome_of(to_json_text(forged)) == Outcome::kRejected);
  }
}

TEST_CASE("a power is bounded by as many steps of another as it takes, and for naturals only") {
  const Pattern pattern =
      pattern_of("f(k) = 3^k\nA = none\nB = offsets(f)\nclaim log2(i) <= 2 * time(i) + 1");
  const Certificate original = certify(pattern, prove(pattern));
  REQUIRE(outcome_of(to_json_text(original)) == Outcome::kLeftToSolvers);
  for (const std::string fact :
       {"(=> (<= 0 i) (<= (pow.3 i) (pow.2 (* 1 i))))", "(<= (pow.3 i) (pow.2 (* 2 i)))",
        "(=> (<= 0 i) (<= (pow.5 i) (pow.2 (* 2 i))))",
        "(=> (<= 0 i) (<= (pow.3 i) (pow.2 (* 2 count.1))))",
        "(=> (<= -1 i) (<= (pow.3 i) (pow.2 (* 2 i))))",
        // True, but no step of this certificate shows it.
        "(=> (<= 0 i) (<= (pow.3 i) (pow.2 (* 3 i))))"}) {
    INFO(fact);
    CHECK(outcome_of(to_json_text(with_fact(original, "claim: ", fact))) == Outcome::kRejected);
  }
}

TEST_CASE("products keep the order of naturals only, and of all four factors") {
  const Pattern pattern =
      pattern_of("f(k) = 5*k^2 + 1\nA = diagonal\nB = offsets(f)\nclaim time(i) in O(sqrt n)");
  const Certificate original = certify(pattern, prove(pattern));
  REQUIRE(outcome_of(to_json_text(original)) == Outcome::kLeftToSolvers);
  const std::string i = "(and (<= 0 i) (<= i count.1) (<= 0 i) (<= i count.1))";
  for (const std::string& fact : std::vector<std::string>{
           "(=> (and (<= i count.1) (<= 0 i) (<= i count.1)) (<= (* i i) (* count.1 count.1)))",
           "(=> (and (<= 0 i) (<= i count.1) (<= 0 i) (<= i 7)) (<= (* i i) (* count.1 count.1)))",
           "(=> (and (<= -1 i) (<= i count.1) (<= 0 i) (<= i 7)) (<= (* i i) (* count.1 7)))",
           "(=> " + i + " (< (* i i) (* count.1 count.1)))",
           "(=> " + i + " (<= (* count.1 i) (* i count.1)))",
           "(=> (<= 0 i) (= (pow.2 (+ i i)) (* (pow.2 i) (pow.2 count.1))))",
           "(= (pow.2 (+ i i)) (* (pow.2 i) (pow.2 i)))",
           "(=> (<= 0 i) (= (pow.3 (+ i i)) (* (pow.3 i) (pow.3 i))))"}) {
    INFO(fact);
    CHECK(outcome_of(to_json_text(with_fact(original, "growth: ", fact))) == Outcome::kRejected);
  }
}

TEST_CASE("a closed form is licensed for its own argument only") {
  const Pattern pattern = pattern_of(
      "f(0) = 1\nf(k + 1) = f(k) + 2 * k + 3\nA = diagonal\nB = offsets(f)\n"
      "claim time(i) <= sqrt(i) + 2");
  const Certificate original = certify(pattern, prove(pattern));
  REQUIRE(outcome_of(to_json_text(original)) == Outcome::kLeftToSolvers);
  for (const std::string fact :
       {"(=> (<= 0 (+ k 1)) (= (* 1 (fn.f (+ k 1))) (+ (+ 1 (* 2 k)) (* 1 (* k (+ k 1))))))",
        "(=> (<= 0 k) (= (* 1 (fn.f k)) (+ (+ 2 (* 2 k)) (* 1 (* k k)))))"}) {
    INFO(fact);
    CHECK(outcome_of(to_json_text(with_fact(original, "increasing: f(k)", fact))) ==
          Outcome::kRejected);
  }
}
