// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle {
namespace {

const char* describe(Duty duty) {
  switch (duty) {
    case Duty::kBuilds:
      return "compiles as it stands";
    case Duty::kMemory:
      return "touches only memory it may, initialised and aligned";
    case Duty::kOrdering:
      return "has no data race and no divergent barrier or collective";
    case Duty::kOutputs:
      return "writes every output exactly once";
    case Duty::kValues:
      return "agrees with the float64 definition";
    case Duty::kLaneOrders:
      return "gives the same bits in every thread order";
    case Duty::kExtremes:
      return "agrees on extreme inputs";
    case Duty::kContinues:
      return "continues from any earlier state";
    case Duty::kState:
      return "leaves exactly the state that later tokens need";
    case Duty::kFieldBuilds:
      return "has a meaning over a finite field";
    case Duty::kFieldRuns:
      return "stays in bounds and in step over the field";
    case Duty::kIdentity:
      return "equals the definition exactly";
    case Duty::kAnyOrder:
      return "gives the same numbers however scores are ordered";
    case Duty::kFieldState:
      return "hands the exact state on";
  }
  unreachable("duty");
}

// "1-24, 60, 63"
std::string in_runs(const std::set<std::int64_t>& numbers) {
  std::string text;
  for (auto at = numbers.begin(); at != numbers.end();) {
    const std::int64_t first = *at;
    std::int64_t last = first;
    for (++at; at != numbers.end() && *at == last + 1; ++at) last = *at;
    if (!text.empty()) text += ", ";
    text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
  return text;
}

}  // namespace

const char* name_of(Layer layer) { return layer == Layer::kEmulated ? "emulated" : "algebraic"; }

Ledger::Ledger(std::string subject, Layer layer, std::size_t most_failures)
    : subject_(std::move(subject)), layer_(layer), most_failures_(most_failures) {
  for (int d = 0; d < kDuties; ++d) {
    entries_[d].applicable = (d < kEmulatedDuties) == (layer == Layer::kEmulated);
  }
}

Duty duty_of_finding(const std::string& kind) {
  if (kind.rfind("race", 0) == 0 || kind == "barrier_divergence" || kind == "collective_mismatch") {
    return Duty::kOrdering;
  }
  if (kind == "unwritten" || kind == "write_twice") return Duty::kOutputs;
  return Duty::kMemory;
}

void Ledger::record(Duty duty, std::int64_t length) {
  ++entry(duty).checks;
  entry(duty).lengths.insert(length);
}

void Ledger::failed(Duty duty, std::int64_t length, VerifyFailure failure) {
  record(duty, length);
  entry(duty).failed = true;
  rejected_ = true;
  const bool known = std::any_of(failures_.begin(), failures_.end(), [&](const VerifyFailure& f) {
    return f.kind == failure.kind && f.where == failure.where;
  });
  failure.layer = name_of(layer_);
  if (!known && !saturated()) failures_.push_back(std::move(failure));
}

void Ledger::undecided(Duty duty, const std::string& why) {
  if (entry(duty).undecided.empty()) entry(duty).undecided = why;
}

std::vector<VerifyObligation> Ledger::obligations() const {
  std::vector<VerifyObligation> list;
  for (int d = 0; d < kDuties; ++d) {
    const Entry& e = entries_[d];
    if (!e.applicable && !e.failed) continue;  // what failed counts, asked for or not
    const auto duty = static_cast<Duty>(d);
    VerifyObligation obligation{subject_ + " " + describe(duty), KernelVerdict::kVerified, "",
                                name_of(layer_)};
    if (duty == Duty::kBuilds || duty == Duty::kFieldBuilds) {
      obligation.method = "compiled for the emulator";
    } else {
      obligation.method =
          fmt::format("{}: {} checks, lengths {}", name_of(layer_), e.checks, in_runs(e.lengths));
      if (!e.remark.empty()) obligation.method += "; " + e.remark;
      if (!skipped_.empty()) {
        obligation.method += fmt::format("; beyond the work bound: {}", in_runs(skipped_));
      }
    }
    if (e.failed) {
      obligation.verdict = KernelVerdict::kRejected;
    } else if (!e.undecided.empty()) {
      obligation.verdict = KernelVerdict::kUnknown;
      obligation.method = e.undecided;
    } else if (e.checks == 0) {
      obligation.verdict = KernelVerdict::kUnknown;
      obligation.method = rejected_ ? "not run: the kernel is already rejected" : "not run";
    }
    list.push_back(std::move(obligation));
  }
  return list;
}

}  // namespace heddle
