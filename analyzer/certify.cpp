// SPDX-License-Identifier: Apache-2.0
// Collects the obligations of all claims, each once, under unique names.
#include "analyzer/certify.hpp"

#include <map>

#include "analyzer/smt/solver.hpp"

namespace heddle {
namespace {

class Collector {
 public:
  explicit Collector(Certificate& certificate) : certificate_(certificate) {}

  // The name under which the certificate holds this obligation.
  std::string add(const Obligation& obligation) {
    const auto known = name_by_script_.find(obligation.script);
    if (known != name_by_script_.end()) return known->second;
    Obligation stored = obligation;
    const int uses = ++uses_[obligation.name];
    if (uses > 1) stored.name += " (" + std::to_string(uses) + ")";
    name_by_script_.emplace(stored.script, stored.name);
    certificate_.obligations.push_back(stored);
    return stored.name;
  }

 private:
  Certificate& certificate_;
  std::map<std::string, std::string> name_by_script_;
  std::map<std::string, int> uses_;
};

const char* verdict_of(CausalityVerdict::Status status) {
  switch (status) {
    case CausalityVerdict::Status::kProved:
      return "proved";
    case CausalityVerdict::Status::kRejected:
      return "refuted";
    case CausalityVerdict::Status::kUnknown:
      return "unknown";
  }
  unreachable("causality status");
}

}  // namespace

Certificate certify(const Pattern& pattern, const ProofReport& report) {
  Certificate certificate;
  certificate.pattern = pattern.name();
  certificate.source = pattern.canonical_text();
  certificate.sha256 = pattern.sha256();
  certificate.tools = {"heddle 0.1.0", smt::solver_version()};
  Collector collector(certificate);

  CertifiedClaim& causality = certificate.causality;
  causality.text = "causal";
  causality.verdict = verdict_of(report.causality.status);
  causality.rule = report.causality.rule;
  causality.reason = report.causality.message;
  for (const Obligation& obligation : report.causality.obligations) {
    causality.obligations.push_back(collector.add(obligation));
  }

  for (const ClaimVerdict& judged : report.claims) {
    CertifiedClaim claim;
    claim.text = judged.text;
    claim.verdict = name_of(judged.verdict);
    claim.scope = judged.scope;
    match(
        judged.verdict,
        [&](const Proved& proved) {
          claim.rule = proved.rule;
          claim.parameters = proved.parameters;
          claim.assumes = proved.assumes;
          for (const Obligation& obligation : proved.obligations) {
            claim.obligations.push_back(collector.add(obligation));
          }
        },
        [&](const Checked& checked) {
          claim.parameters = {{"n", std::to_string(checked.n)}};
          claim.reason = checked.reason;
        },
        [&](const Refuted& refuted) {
          for (const auto& [name, value] : refuted.counterexample.variables) {
            claim.counterexample.emplace_back(name, value.to_string());
          }
          claim.counterexample.emplace_back("value", refuted.counterexample.value.to_string());
          claim.counterexample.emplace_back("bound", refuted.counterexample.bound.to_string());
          claim.reason = refuted.explanation;
        },
        [&](const Unknown& unknown) { claim.reason = unknown.reason; });
    certificate.claims.push_back(std::move(claim));
  }
  return certificate;
}

}  // namespace heddle
