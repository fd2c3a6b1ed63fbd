// SPDX-License-Identifier: Apache-2.0
// The checks in order of cost: the text, the form, the small rows, the solvers. Any contradiction
// rejects; a script that no solver decides leaves the certificate undecided.
#include "analyzer/audit.hpp"

#include <map>
#include <optional>
#include <set>

#include "analyzer/audit/evaluate.hpp"
#include "analyzer/audit/external_solver.hpp"
#include "analyzer/audit/script_shape.hpp"
#include "analyzer/certificate.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/parser.hpp"

namespace heddle {
namespace {

using Verdict = AuditReport::Verdict;

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

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
    check_obligations();
    if (report_.problems.empty()) evaluate_small_rows();
    if (report_.problems.empty()) ask_solvers();
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
      problem("the source in the certificate is not one pattern");
      return;
    }
    pattern_ = resolve(std::move(syntax[0]), {}, diagnostics);
    if (!pattern_) {
      problem("the source in the certificate does not resolve");
      return;
    }
    if (pattern_->canonical_text() != certificate_.source) problem("the source is not canonical");
    if (pattern_->sha256() != certificate_.sha256) problem("the hash is not that of the source");
    if (pattern_->name() != certificate_.pattern) problem("the name is not that of the source");
    report_.checked.push_back("the source parses, is canonical and has the stated hash");
  }

  void check_claims() {
    const std::vector<Claim>& claims = pattern_->claims();
    if (claims.size() != certificate_.claims.size()) {
      problem("the certificate does not list the claims of its source");
      return;
    }
    if (certificate_.causality.text != "causal") problem("the first claim is not causality");
    std::vector<const CertifiedClaim*> all{&certificate_.causality};
    for (std::size_t at = 0; at < claims.size(); ++at) {
      const CertifiedClaim& certified = certificate_.claims[at];
      all.push_back(&certified);
      if (certified.text != print(claims[at]))
        problem("claim " + certified.text + " is not in the source");
      check_main_step(claims[at], certified);
    }
    static const std::set<std::string> kVerdicts = {"proved", "checked", "refuted", "unknown"};
    for (const CertifiedClaim* claim : all) {
      if (kVerdicts.count(claim->verdict) == 0) problem(claim->text + " has no valid verdict");
      const bool proved = claim->verdict == "proved";
      if (proved == claim->rule.empty()) problem(claim->text + ": a rule goes with a proof");
      if (!proved && !claim->obligations.empty()) problem(claim->text + ": steps without a proof");
      if (proved && certificate_.causality.verdict != "proved") {
        problem(claim->text + " is proved of a pattern that is not proved causal");
      }
      used_.insert(claim->obligations.begin(), claim->obligations.end());
    }
    report_.checked.push_back("the claims are those of the source, each with a verdict");
  }

  // A proved claim must rest on a step that is about it.
  void check_main_step(const Claim& claim, const CertifiedClaim& certified) {
    if (certified.verdict != "proved") return;
    const std::string prefix = std::holds_alternative<GrowthClaim>(claim.node)  ? "growth: "
                               : std::holds_alternative<ReachClaim>(claim.node) ? "in range: "
                                                                                : "claim: ";
    const bool growth = prefix == "growth: ";
    for (const std::string& name : certified.obligations) {
      if (starts_with(name, growth ? prefix : prefix + certified.text)) return;
    }
    problem(certified.text + " is proved without a step of its own");
  }

  void check_obligations() {
    std::set<std::string> names;
    for (const Obligation& obligation : certificate_.obligations) {
      if (!names.insert(obligation.name).second) problem("two steps are named " + obligation.name);
      if (used_.count(obligation.name) == 0) problem("no claim uses the step " + obligation.name);
      if (const auto wrong = auditing::malformed(obligation))
        problem(obligation.name + ": " + *wrong);
    }
    for (const std::string& name : used_) {
      if (names.count(name) == 0) problem("the step " + name + " is missing");
    }
    report_.checked.push_back("every script is plain, and its companion has the same hypotheses");
  }

  void evaluate_small_rows() {
    const Result<auditing::SmallRows> rows =
        auditing::SmallRows::of(*pattern_, options_.rows_to_evaluate);
    if (!rows.ok()) {
      if (certificate_.causality.verdict == "proved") problem(rows.error().message);
      return;
    }
    for (std::size_t at = 0; at < certificate_.claims.size(); ++at) {
      const CertifiedClaim& certified = certificate_.claims[at];
      if (certified.verdict == "unknown") continue;
      if (!auditing::SmallRows::can_evaluate(certified)) {
        report_.not_checked.push_back("evaluation of " + certified.text);
        continue;
      }
      if (const auto wrong = rows.value().contradiction(pattern_->claims()[at], certified)) {
        problem(certified.text + ": " + *wrong);
      }
    }
    report_.checked.push_back("claims on time, hops and reach evaluated on rows 1.." +
                              std::to_string(options_.rows_to_evaluate));
  }

  void ask_solvers() {
    std::vector<auditing::ExternalSolver> solvers;
    for (const std::string& program : options_.solvers) {
      if (auto found = auditing::find_solver(program)) {
        solvers.push_back(*found);
        report_.solvers.push_back({found->version, 0, 0});
      } else {
        report_.not_checked.push_back("replay by " + program + ", which is not installed");
      }
    }
    for (const Obligation& obligation : certificate_.obligations) {
      replay(solvers, obligation.name, obligation.script, "unsat");
      replay(solvers, "companion of " + obligation.name, obligation.companion, "sat");
    }
    report_.not_checked.push_back(
        "that the scripts follow from the rules: they are replayed, not re-derived");
    if (report_.problems.empty()) {
      report_.checked.push_back("every script replayed by every solver found");
    }
  }

  void replay(const std::vector<auditing::ExternalSolver>& solvers, const std::string& name,
              const std::string& script, const std::string& expected) {
    ++report_.scripts;
    bool confirmed = false;
    for (std::size_t at = 0; at < solvers.size(); ++at) {
      const std::string answer =
          auditing::answer_of(solvers[at], script, options_.seconds_per_script);
      if (answer == expected) {
        confirmed = true;
        ++report_.solvers[at].confirmed;
      } else if (answer == "sat" || answer == "unsat") {
        problem(name + ": " + solvers[at].version + " answers " + answer + ", not " + expected);
      } else {
        ++report_.solvers[at].undecided;
      }
    }
    if (!confirmed) undecided_.push_back("no solver confirms " + name);
  }

  const AuditOptions& options_;
  AuditReport report_;
  Certificate certificate_;
  std::optional<Pattern> pattern_;
  std::set<std::string> used_;
  std::vector<std::string> undecided_;
};

}  // namespace

AuditReport audit(const std::string& certificate_text, const AuditOptions& options) {
  return Auditor(options).run(certificate_text);
}

}  // namespace heddle
