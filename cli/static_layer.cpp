// SPDX-License-Identifier: Apache-2.0
#include "cli/static_layer.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include "cli/console.hpp"
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

// The emulated layer takes longest and in one thread: where processors are few, it comes first.
// Linux keeps a niceness for each thread.
void yield_to_others() { static_cast<void>(setpriority(PRIO_PROCESS, 0, 5)); }

}  // namespace

StaticLayer::StaticLayer(const Artifact& artifact) : manifest_(artifact.manifest) {
  if (manifest_.target != "cuda") return;
  for (const KernelEntry& entry : manifest_.kernels) {
    if (const auto kind = not_asked(manifest_, entry)) {
      left_out_.push_back("no static proofs of " + *kind);
      continue;
    }
    // Kernels do not depend on each other: one thread each.
    for (const KernelEntry* const launched : launches_of(entry)) {
      if (too_long_to_follow(manifest_, *launched)) {
        left_out_.push_back("no static proofs of " + *not_followed(manifest_, *launched));
        continue;
      }
      launched_.push_back({launched,
                           entry.op + (entry.steps.empty() ? "" : ", " + launched->symbol),
                           std::async(std::launch::async, [&artifact, launched] {
                             yield_to_others();
                             return check_statically(artifact.files.at(launched->file),
                                                     artifact.files, artifact.manifest, *launched);
                           })});
    }
  }
}

std::string StaticLayer::add_to(VerifyReport& report) {
  for (const std::string& remark : left_out_) print_remark(remark);
  std::string spoken_of;
  for (Launched& launched : launched_) {
    const KernelEntry& entry = *launched.entry;
    const StaticReport found = launched.report.get();
    if (found.verdict == StaticVerdict::kUnknown) {
      for (const StaticFailure& failure : found.failures) {
        print_remark(fmt::format("not proved for every launch, {}: {} ({})", failure.obligation,
                                 failure.message, failure.where));
        break;
      }
      if (const auto beyond = not_followed(manifest_, entry)) {
        const bool has_simple = entry.op == "prefill" && entry.schedule != "simple";
        print_remark("the static layer does not follow " + *beyond +
                     (has_simple ? "; --schedule simple has proofs of prefill" : ""));
      }
      if (!binds(manifest_, entry)) continue;
    }
    spoken_of += (spoken_of.empty() ? "" : ", ") + launched.subject;
    for (const StaticObligation& obligation : found.obligations) {
      report.obligations.push_back(
          {fmt::format("{}: {}, for every launch", launched.subject, obligation.name),
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
