// SPDX-License-Identifier: Apache-2.0
#include "cli/static_layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <string_view>
#include <vector>

#include "cli/console.hpp"
#include "codegen/verify/check_statically.hpp"
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

// The classes of kernels that are decided for every built-in pattern. In these a proof that is not
// found is no excuse: the verdict is `unknown`. Elsewhere, for patterns of one's own, whose
// arithmetic may be beyond the layer, the other layers decide alone; so they do for what is not
// decided of staged prefill and for tensor prefill, which is not read at all.
struct Class {
  const char* weights;
  const char* op;
};
constexpr Class kBinding[] = {{"softmax", "prefill"}, {"softmax", "decode"}, {"linear", "prefill"},
                              {"linear", "decode"},   {"given", "prefill"},  {"given", "decode"},
                              {"given", "backward"}};
// The patterns whose rows of shared memory are rings, or windows of rows that have every offset:
// their staged prefill is decided where rows are cut into a power of two of vectors, up to 128
// channels.
struct Staged {
  const char* pattern;
  bool softmax;
};
constexpr Staged kStaged[] = {
    {"linear_recurrence", true}, {"log_recurrence", true},   {"fibonacci_recurrence", true},
    {"linear_attention", true},  {"local_attention", true},  {"log_attention", true},
    {"attention", true},         {"dense_recurrence", false}};
bool schedule_is_decided(const Manifest& manifest, const KernelEntry& entry) {
  if (entry.op != "prefill" || entry.schedule == "simple") return true;
  const int channels = manifest.head_dim;
  return entry.schedule == "staged" && channels <= 128 && (channels & (channels - 1)) == 0 &&
         std::any_of(std::begin(kStaged), std::end(kStaged), [&](const Staged& each) {
           return manifest.pattern == each.pattern && (manifest.weights == "given" || each.softmax);
         });
}

// Whether it takes long to find out that nothing is decided: tiles of rows that list their offsets,
// or that are solved with softmax weights.
bool in_vain(const Manifest& manifest, const KernelEntry& entry) {
  const bool tiles = std::any_of(entry.shared_rows.begin(), entry.shared_rows.end(),
                                 [](const SharedRows& rows) { return rows.size == "tile_rows"; });
  return entry.schedule == "staged" && tiles && !schedule_is_decided(manifest, entry);
}

// Decode of several tokens, and backward between two states.
bool goes_on(const KernelEntry& entry) {
  const char* const size = entry.op == "decode"     ? "new_tokens"
                           : entry.op == "backward" ? "start"
                                                    : nullptr;
  return size != nullptr &&
         std::any_of(entry.arguments.begin(), entry.arguments.end(),
                     [&](const Argument& argument) { return argument.name == size; });
}

bool binds(const Manifest& manifest, const KernelEntry& entry) {
  const bool read = manifest.target == "cuda" && manifest.dtype != ElementType::kF16;
  return read && find_builtin(manifest.pattern) != nullptr &&
         schedule_is_decided(manifest, entry) &&
         std::any_of(std::begin(kBinding), std::end(kBinding), [&](const Class& each) {
           return manifest.weights == each.weights && entry.op == each.op;
         });
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
  std::vector<const KernelEntry*> entries;
  for (const KernelEntry& entry : manifest.kernels) {
    if (goes_on(entry)) {
      print_remark(fmt::format(
          "no static proofs of {} {}", entry.op,
          entry.op == "decode" ? "of several tokens a launch" : "that goes on from a state"));
      continue;
    }
    const bool tensor = entry.op == "prefill" && entry.schedule == "tensor";
    if (tensor || in_vain(manifest, entry)) {
      print_remark(fmt::format("no static proofs of {} prefill{}; --schedule simple has them",
                               entry.schedule, tensor ? "" : " of these rows"));
      continue;
    }
    entries.push_back(&entry);
    reports.push_back(std::async(std::launch::async, [&artifact, &manifest, &entry] {
      return check_statically(artifact.files.at(entry.file), artifact.files, manifest, entry);
    }));
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
      if (entry.op == "prefill" && entry.schedule != "simple") {
        print_remark("--schedule simple has proofs of prefill");
      }
      if (!binds(manifest, entry)) continue;
    }
    spoken_of += (spoken_of.empty() ? "" : ", ") + entry.op;
    for (const StaticObligation& obligation : found.obligations) {
      report.obligations.push_back(
          {fmt::format("{}: {}, for every launch", entry.op, obligation.name),
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
