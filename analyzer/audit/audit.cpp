// SPDX-License-Identifier: Apache-2.0
// The checks in order of cost: the text, the derivations, the small rows, the solvers. Any
// contradiction rejects; a rule that is not known or a script that no solver decides leaves the
// certificate undecided.
#include "analyzer/audit/audit.hpp"

#include <algorithm>

#include "analyzer/audit/arithmetic.hpp"
#include "analyzer/audit/derivation.hpp"
#include "analyzer/audit/evaluate.hpp"
#include "analyzer/certificate/solver_program.hpp"
#include "analyzer/certificate/theorems.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/parser.hpp"

namespace heddle {
namespace {

using Verdict = AuditReport::Verdict;
using Outcome = auditing::Evaluation::Outcome;

constexpr int kMostRows = 1024;

class Auditor {
 public:
  explicit Auditor(const AuditOptions& options) : options_(options) {}

  AuditReport run(const std::string& text) {
    const Result<Certificate> parsed = parse_certificate(text);
    if (!parsed.ok()) {
      problem(parsed.error().message);
      return finish();
    }
    certificate_ = parsed.value();
    check_source();
    if (pattern_) check_claims();
    if (report_.problems.empty()) derive();
    if (report_.problems.empty()) evaluate_small_rows();
    if (report_.problems.empty()) check_steps();
    return finish();
  }

 private:
  void problem(std::string what) { report_.problems.push_back(std::move(what)); }

  AuditReport finish() {
    if (!report_.problems.empty())
      report_.verdict = Verdict::kRejected;
    else if (!undecided_.empty())
      report_.verdict = Verdict::kUndecided;
    else
      report_.verdict = Verdict::kAccepted;
    if (report_.problems.empty()) report_.problems = undecided_;
    return report_;
  }

  void check_source() {
    Diagnostics diagnostics;
    std::vector<PatternSyntax> syntax = parse({"certificate", certificate_.source}, diagnostics);
    if (diagnostics.has_errors() || syntax.size() != 1) {
      return problem("the source in the certificate is not one pattern");
    }
    pattern_ = resolve(std::move(syntax[0]), {}, diagnostics);
    if (!pattern_) return problem("the source in the certificate does not resolve");
    if (pattern_->canonical_text() != certificate_.source) problem("the source is not canonical");
    if (pattern_->sha256() != certificate_.sha256) problem("the hash is not that of the source");
    if (pattern_->name() != certificate_.pattern) problem("the name is not that of the source");
    report_.checked.push_back("the source parses, is canonical and has the stated hash");
  }

  void check_claims() {
    const std::vector<Claim>& claims = pattern_->claims();
    if (claims.size() != certificate_.claims.size()) {
      return problem("the certificate does not list the claims of its source");
    }
    if (certificate_.causality.text != "causal") problem("the first claim is not causality");
    for (std::size_t at = 0; at < claims.size(); ++at) {
      if (certificate_.claims[at].text != print(claims[at])) {
        problem("claim " + certificate_.claims[at].text + " is not in the source");
      }
      check_form(certificate_.claims[at]);
    }
    check_form(certificate_.causality);
    for (const CertifiedClaim& derived : certificate_.derived) {
      const std::optional<Claim> stated = claim_about(*pattern_, derived.text);
      if (!stated || print(*stated) != derived.text || derived.verdict != "proved") {
        return problem(derived.text + " is not a proved claim about the source");
      }
      check_form(derived);
      derived_.push_back(*stated);
    }
    report_.checked.push_back("the claims are those of the source, each with a verdict");
  }

  // Each verdict has what belongs to it and nothing else.
  void check_form(const CertifiedClaim& claim) {
    const std::string& verdict = claim.verdict;
    const bool proved = verdict == "proved", causality = &claim == &certificate_.causality;
    if (!proved && verdict != "checked" && verdict != "refuted" && verdict != "unknown") {
      problem(claim.text + " has no valid verdict");
    }
    if (verdict != "unknown" && certificate_.causality.verdict != "proved" && !causality) {
      problem(claim.text + " is decided of a pattern that is not proved causal");
    }
    if (proved == claim.derivation.empty() || (!proved && !claim.assumes.empty()) ||
        (proved && !claim.reason.empty()) ||
        (verdict == "checked") == claim.checked_up_to.empty() ||
        (verdict == "refuted" && !causality) == claim.counterexample.empty()) {
      problem(claim.text + " has what does not belong to its verdict, or lacks what does");
    }
    const auto canonical = derivation_of(claim.laws(), claim.obligations(), claim.witnesses());
    if (proved && claim.derivation != canonical) {
      problem(claim.text + ": its derivation is not in order");
    }
    std::string scope;
    for (const auto& [name, value] : claim.counterexample) {
      if (name == "value" || name == "bound") continue;
      scope += (scope.empty() ? "" : ", ") + name + " = " + value;
    }
    if (verdict == "checked") {
      scope = claim.scope.substr(0, claim.scope.find(' ')) + " <= " + claim.checked_up_to;
    }
    if ((!proved || causality) && claim.scope != scope)
      problem(claim.text + ": its scope is not its range");
    for (const std::string& law : claim.laws()) {
      const std::string* statement = theorem(law);
      if (statement == nullptr) {
        undecided_.push_back(claim.text + " rests on a rule that is not known here: " + law);
        unknown_laws_.insert(&claim);
      } else {
        trusted_.insert(law + ": " + *statement);
      }
    }
    for (const std::string& theorem : claim.assumes) trusted_.insert("assumed: " + theorem);
  }

  void derive() {
    auditing::Derivation derivation(*pattern_, certificate_);
    const auto derivable = [&](const CertifiedClaim& claim) {
      return claim.verdict == "proved" && unknown_laws_.count(&claim) == 0;
    };
    const auto judge = [&](const CertifiedClaim& claim, const std::optional<std::string>& wrong) {
      if (wrong) problem(claim.text + " is not derived: " + *wrong);
    };
    if (derivable(certificate_.causality)) {
      judge(certificate_.causality, derivation.causality(certificate_.causality));
    }
    for (std::size_t at = 0; at < certificate_.claims.size(); ++at) {
      const CertifiedClaim& claim = certificate_.claims[at];
      if (derivable(claim)) judge(claim, derivation.claim(pattern_->claims()[at], claim));
    }
    for (std::size_t at = 0; at < derived_.size(); ++at) {
      const CertifiedClaim& claim = certificate_.derived[at];
      if (derivable(claim)) judge(claim, derivation.claim(derived_[at], claim));
    }
    std::set<std::string> names;
    for (const Obligation& obligation : certificate_.obligations) {
      if (!names.insert(obligation.name).second) problem("two steps are named " + obligation.name);
      if (derivation.needed().count(obligation.name) == 0 && report_.problems.empty() &&
          unknown_laws_.empty()) {
        problem("no claim needs the step " + obligation.name);
      }
    }
    const auto counted = [&](const char* measure) {
      return std::any_of(certificate_.claims.begin(), certificate_.claims.end(),
                         [&](const CertifiedClaim& claim) {
                           return (claim.verdict == "checked" || claim.verdict == "refuted") &&
                                  claim.text.find(measure) != std::string::npos;
                         });
    };
    const auto trust = [&](const std::string& law) { trusted_.insert(law + ": " + *theorem(law)); };
    if (counted("rank(")) {
      trust("capacity law: rank(m) <= cache(m), as every path passes a live x or y");
    }
    if (counted("cache(") || counted("rank(")) {
      for (const FunctionDefinition& function : pattern_->syntax().functions) {
        const bool used = certificate_.source.find("lattice(" + function.name) != std::string::npos;
        if (used && derivation.nests(function.name)) nested_.insert(function.name);
      }
      if (!nested_.empty()) trust("live set: lattice rows are nested, live(i) = row(i+1)");
    }
    report_.checked.push_back(
        "every step has the goal that the pattern asks for, from hypotheses that rules license");
    report_.trusted.assign(trusted_.begin(), trusted_.end());
  }

  void evaluate_small_rows() {
    if (certificate_.causality.verdict != "proved") {
      undecided_.push_back("that rows are not causal is not evaluated");
      return;
    }
    int n = options_.rows_to_evaluate;
    for (const CertifiedClaim& claim : certificate_.claims) {
      const auto limit = Integer::parse(claim.checked_up_to);
      for (const auto& [name, value] : claim.counterexample) {
        const auto token = Integer::parse(value);
        if (name != "value" && name != "bound" && token && *token <= Integer(kMostRows)) {
          n = std::max(n, static_cast<int>(token->to_int64().value_or(0)));
        }
      }
      if (limit && *limit <= Integer(kMostRows)) {
        n = std::max(n, static_cast<int>(limit->to_int64().value_or(0)));
      }
    }
    const Result<auditing::SmallRows> rows = auditing::SmallRows::of(*pattern_, n, nested_);
    if (!rows.ok()) return problem(rows.error().message);
    std::vector<Claim> proved = derived_;
    for (std::size_t at = 0; at < certificate_.claims.size(); ++at) {
      if (certificate_.claims[at].verdict == "proved") proved.push_back(pattern_->claims()[at]);
    }
    for (std::size_t at = 0; at < derived_.size(); ++at) {
      const CertifiedClaim& claim = certificate_.derived[at];
      const auditing::Evaluation found = rows->evaluate(derived_[at], claim, {});
      if (found.outcome == Outcome::kContradicts) problem(claim.text + ": " + found.why);
    }
    for (std::size_t at = 0; at < certificate_.claims.size(); ++at) {
      const CertifiedClaim& claim = certificate_.claims[at];
      if (claim.verdict == "unknown") continue;
      const auditing::Evaluation found = rows->evaluate(pattern_->claims()[at], claim, proved);
      if (found.outcome == Outcome::kContradicts) problem(claim.text + ": " + found.why);
      if (found.outcome == Outcome::kOutOfReach && claim.verdict != "proved") {
        undecided_.push_back(claim.text + " is " + claim.verdict + ", but " + found.why);
      }
      if (claim.smallest) check_smallest(*rows, pattern_->claims()[at], claim, proved);
    }
    report_.checked.push_back(
        "claims on time, depth, hops and reach, on cache from below and where shapes tell what "
        "stays, "
        "and on congestion and rank by "
        "paths and weights, evaluated on rows 1.." +
        std::to_string(n));
  }

  // That a counterexample is the smallest is more than a verdict says: where nothing shows it, the
  // report says so and the verdict stands.
  void check_smallest(const auditing::SmallRows& rows, const Claim& stated,
                      const CertifiedClaim& claim, const std::vector<Claim>& proved) {
    const auditing::Evaluation found = rows.smallest(stated, claim, proved);
    const std::string what = claim.text + " fails nowhere before " + claim.scope;
    if (found.outcome == Outcome::kContradicts) problem(claim.text + ": " + found.why);
    if (found.outcome == Outcome::kAgrees) report_.checked.push_back(what + ": " + found.why);
    if (found.outcome == Outcome::kOutOfReach) {
      report_.not_checked.push_back("that " + what + ": " + found.why);
    }
  }

  void check_steps() {
    std::vector<SolverProgram> solvers;
    for (const std::string& program : options_.solvers) {
      if (auto found = find_solver(program)) {
        solvers.push_back(*found);
        report_.solvers.push_back({found->version, 0, 0});
      } else {
        report_.not_checked.push_back("replay by " + program + ", which is not installed");
      }
    }
    std::map<std::string, std::vector<bool>> confirmed;  // by step, in the order of ClaimTally
    for (const Obligation& obligation : certificate_.obligations) {
      const Result<auditing::Script> script = auditing::read_script(obligation);
      if (!script.ok()) continue;  // a rule that is not known here left it unread
      const bool shown = check_evidence(obligation, *script);
      std::vector<bool>& by = confirmed[obligation.name];
      by = replay(solvers, obligation.name, script->text(true), "unsat", shown);
      by.push_back(shown);
      replay(solvers, "companion of " + obligation.name, script->text(false), "sat", false);
    }
    if (report_.problems.empty() && !solvers.empty()) {
      report_.checked.push_back("every script replayed by every solver found");
    }
    if (report_.problems.empty() && report_.steps_with_evidence > 0) {
      report_.checked.push_back("the arithmetic of " + std::to_string(report_.steps_with_evidence) +
                                " of " + std::to_string(report_.steps) +
                                " steps, with exact integers");
    }
    if (report_.steps_with_evidence < report_.steps) {
      report_.not_checked.push_back(
          "without a solver: " + std::to_string(report_.steps - report_.steps_with_evidence) +
          " of " + std::to_string(report_.steps) + " steps, which carry no arithmetic");
    }
    for (const CertifiedClaim& claim : certificate_.claims) tally(claim, confirmed);
    for (const CertifiedClaim& claim : certificate_.derived) tally(claim, confirmed);
  }

  void tally(const CertifiedClaim& claim,
             const std::map<std::string, std::vector<bool>>& confirmed) {
    if (claim.verdict != "proved") return;
    ClaimTally tally{claim.text, 0, {}};
    for (const SolverTally& solver : report_.solvers)
      tally.confirmed.emplace_back(solver.version, 0);
    tally.confirmed.emplace_back("arithmetic", 0);
    for (const std::string& name : claim.obligations()) {
      ++tally.steps;
      const auto found = confirmed.find(name);
      if (found == confirmed.end()) continue;
      for (std::size_t at = 0; at < tally.confirmed.size(); ++at) {
        tally.confirmed[at].second += found->second[at] ? 1 : 0;
      }
    }
    report_.claims.push_back(std::move(tally));
  }

  // False where there is no evidence; evidence that is wrong is a problem.
  bool check_evidence(const Obligation& obligation, const auditing::Script& script) {
    ++report_.steps;
    if (obligation.evidence.empty()) return false;
    const std::optional<std::string> wrong = auditing::check_evidence(script, obligation.evidence);
    if (wrong) problem(obligation.name + ": its arithmetic shows nothing: " + *wrong);
    report_.steps_with_evidence += wrong ? 0 : 1;
    return !wrong;
  }

  // Which solvers answer as expected; one of them must, unless the same is shown otherwise.
  std::vector<bool> replay(const std::vector<SolverProgram>& solvers, const std::string& name,
                           const std::string& script, const std::string& expected, bool shown) {
    ++report_.scripts;
    std::vector<bool> confirmed(solvers.size(), false);
    for (std::size_t at = 0; at < solvers.size(); ++at) {
      const std::string answer = answer_of(solvers[at], script, options_.seconds_per_script);
      confirmed[at] = answer == expected;
      ++(confirmed[at] ? report_.solvers[at].confirmed : report_.solvers[at].undecided);
      if (!confirmed[at] && (answer == "sat" || answer == "unsat")) {
        problem(name + ": " + solvers[at].version + " answers " + answer + ", not " + expected);
      }
      shown = shown || confirmed[at];
    }
    if (!shown) undecided_.push_back("nothing confirms " + name);
    return confirmed;
  }

  const AuditOptions& options_;
  AuditReport report_;
  Certificate certificate_;
  std::optional<Pattern> pattern_;
  std::vector<Claim> derived_;  // as the certificate lists them
  std::set<std::string> trusted_;
  std::set<std::string> nested_;                  // functions whose lattices have nested rows
  std::set<const CertifiedClaim*> unknown_laws_;  // claims that rest on any
  std::vector<std::string> undecided_;
};

}  // namespace

AuditReport audit(const std::string& certificate_text, const AuditOptions& options) {
  return Auditor(options).run(certificate_text);
}

}  // namespace heddle
