// SPDX-License-Identifier: Apache-2.0
#include "cli/static_layer.hpp"

#include <fmt/format.h>

#include <future>
#include <vector>

#include "cli/console.hpp"
#include "codegen/verify/check_statically.hpp"
#include "codegen/verify/followed.hpp"
#include "patterns/builtin_patterns.hpp"

namespace heddle {
namespace {

KernelVerdict verdict_of(StaticVerdict verdict) {
  switch (verdict) {
    case StaticVerdict::kVerified:
      return KernelVerdict::kVerified;
    case StaticVerdict::kRejected:
      return KernelVerdict::kRejected;
    case StaticVerdict::kUnknown:
      break;
  }
  return KernelVerdict::kUnknown;
}

// Where the layer decides every kernel of a kind, a proof that is not found is no excuse: the
// verdict is `unknown`. Elsewhere the other layers decide alone; so they do for patterns of one's
// own, whose arithmetic may be beyond it.
bool binds(const Manifest& manifest, const KernelEntry& entry) {
  return !not_followed(manifest, entry) && find_builtin(manifest.pattern) != nullptr;
}

}  // namespace

std::string add_static_layer(const Artifact& artifact, VerifyReport& report) {
  const Manifest& manifest = artifact.manifest;
  if (manifest.target != "cuda") return "";
  if (manifest.varlen) {
    print_remark("no static proofs of kernels for sequences of different lengths");
    return "";
  }
  // Kernels do not depend on each other: one thread each.
  std::vector<std::future<StaticReport>> reports;
  std::vector<const KernelEntry*> entries;  // what is launched at once
  std::vector<std::string> subjects;
  for (const KernelEntry& entry : manifest.kernels) {
    if (goes_on(entry)) {
      print_remark("no static proofs of " + *not_followed(manifest, entry));
      continue;
    }
    for (const KernelEntry* const launched : launches_of(entry)) {
      entries.push_back(launched);
      subjects.push_back(entry.op + (entry.steps.empty() ? "" : ", " + launched->symbol));
      reports.push_back(std::async(std::launch::async, [&artifact, &manifest, launched] {
        return check_statically(artifact.files.at(launched->file), artifact.files, manifest,
                                *launched);
      }));
    }
  }
  std::string spoken_of;
  for (std::size_t index = 0; index < reports.size(); ++index) {
    const KernelEntry& entry = *entries[index];
    const StaticReport found = reports[index].get();
    if (found.verdict == StaticVerdict::kUnknown) {
      for (const StaticFailure& failure : found.failures) {
        print_remark(fmt::format("not proved for every launch, {}: {} ({})", failure.obligation,
                                 failure.message, failure.where));
        break;
      }
      if (const auto beyond = not_followed(manifest, entry)) {
        const bool has_simple = entry.op == "prefill" && entry.schedule != "simple";
        print_remark("the static layer does not follow " + *beyond +
                     (has_simple ? "; --schedule simple has proofs of prefill" : ""));
      }
      if (!binds(manifest, entry)) continue;
    }
    spoken_of += (spoken_of.empty() ? "" : ", ") + subjects[index];
    for (const StaticObligation& obligation : found.obligations) {
      report.obligations.push_back(
          {fmt::format("{}: {}, for every launch", subjects[index], obligation.name),
           verdict_of(obligation.verdict), obligation.method, "static"});
      report.verdict = worse_of(report.verdict, verdict_of(obligation.verdict));
    }
    if (found.verdict == StaticVerdict::kUnknown) continue;  // a doubt is no failure
    for (const StaticFailure& failure : found.failures) {
      report.failures.push_back(
          {"static_" + failure.obligation, failure.message, failure.where, "static"});
    }
  }
  return spoken_of;
}

}  // namespace heddle
