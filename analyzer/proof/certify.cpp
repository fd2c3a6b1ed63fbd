// SPDX-License-Identifier: Apache-2.0
// Collects the obligations of all claims, each once, under unique names.
#include "analyzer/proof/certify.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "analyzer/evidence/evidence.hpp"
#include "analyzer/proof/claims.hpp"
#include "analyzer/proof/witnesses.hpp"
#include "analyzer/smt/solver.hpp"

namespace heddle {
namespace {

class Collector {
 public:
  explicit Collector(Certificate& certificate) : certificate_(certificate) {}

  std::vector<std::string> add(const std::vector<Obligation>& obligations) {
    std::vector<std::string> names;
    for (const Obligation& obligation : obligations) {
      const std::string name = add(obligation);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
  }

 private:
  // The name under which the certificate holds this obligation.
  std::string add(const Obligation& obligation) {
    const std::string key = obligation.name + "\n" + obligation.script;
    const auto known = stored_names_.find(key);
    if (known != stored_names_.end()) return known->second;
    Obligation stored = obligation;
    const int uses = ++uses_[obligation.name];
    if (uses > 1) stored.name += " (" + std::to_string(uses) + ")";
    stored.evidence = find_evidence(stored);
    stored_names_.emplace(key, stored.name);
    certificate_.obligations.push_back(stored);
    return stored.name;
  }

  Certificate& certificate_;
  std::map<std::string, std::string> stored_names_;  // by name and script
  std::map<std::string, int> uses_;
};

void derived(CertifiedClaim& claim, const Proved& proved, Collector& collector) {
  claim.derivation = derivation_of(proof::parts_of(proved.rule), collector.add(proved.obligations),
                                   proved.parameters);
  claim.assumes = proved.assumes;
}

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
  causality.reason = report.causality.message;
  causality.derivation = derivation_of(proof::parts_of(report.causality.rule),
                                       collector.add(report.causality.obligations), {});

  for (std::size_t at = 0; at < report.claims.size(); ++at) {
    const ClaimVerdict& judged = report.claims[at];
    CertifiedClaim claim;
    claim.text = judged.text;
    claim.verdict = name_of(judged.verdict);
    claim.scope = judged.scope;
    match(
        judged.verdict, [&](const Proved& proved) { derived(claim, proved, collector); },
        [&](const Checked& checked) {
          claim.checked_up_to = std::to_string(checked.n);
          claim.reason = checked.reason;
        },
        [&](const Refuted& refuted) {
          for (const auto& [name, value] : refuted.counterexample.variables) {
            claim.counterexample.emplace_back(name, value.to_string());
          }
          claim.counterexample.emplace_back("value", value_text(refuted.counterexample));
          claim.counterexample.emplace_back("bound", bound_text(refuted.counterexample));
          claim.smallest = refuted.smallest;
          claim.reason = refuted.explanation;
          claim.evidence =
              proof::witnesses_of(pattern, pattern.claims()[at], refuted.counterexample);
        },
        [&](const Unknown& unknown) { claim.reason = unknown.reason; });
    certificate.claims.push_back(std::move(claim));
  }
  for (const ClaimVerdict& judged : report.derived) {
    CertifiedClaim claim;
    claim.text = judged.text;
    claim.verdict = name_of(judged.verdict);
    claim.scope = judged.scope;
    derived(claim, std::get<Proved>(judged.verdict), collector);
    certificate.derived.push_back(std::move(claim));
  }
  return certificate;
}

}  // namespace heddle
