// SPDX-License-Identifier: Apache-2.0
// The books of one kernel's verification: which obligations were checked how often, and what went
// wrong. An obligation nobody checked is unknown.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "runtime/verify/verify.hpp"

namespace heddle {

// The first nine are duties of the emulated layer, the others of the algebraic one.
enum class Duty {
  kBuilds,
  kMemory,
  kOrdering,
  kOutputs,
  kValues,
  kLaneOrders,
  kExtremes,
  kContinues,
  kState,
  kFieldBuilds,
  kFieldRuns,
  kIdentity,
  kAnyOrder,
  kFieldState,
};
constexpr int kEmulatedDuties = 9;
constexpr int kDuties = 14;

enum class Layer { kEmulated, kAlgebraic };
const char* name_of(Layer layer);  // "emulated", "algebraic"

class Ledger {
 public:
  // `subject` stands before each obligation's name: the operation. The duties of other layers do
  // not apply.
  explicit Ledger(std::string subject, Layer layer = Layer::kEmulated,
                  std::size_t most_failures = 12);

  void passed(Duty duty, std::int64_t length) { record(duty, length); }
  void failed(Duty duty, std::int64_t length, VerifyFailure failure);
  // Could not be decided; `why` is shown with the obligation.
  void undecided(Duty duty, const std::string& why);
  // A length that was left out because of the work bound or for want of rows.
  void skipped(std::int64_t length) { skipped_.insert(length); }
  void not_applicable(Duty duty) { entry(duty).applicable = false; }
  // The smallest launch that fails, told with the failures so far.
  void note_smallest(const std::string& words) {
    for (VerifyFailure& failure : failures_) failure.smallest = words;
  }
  // Said with the obligation when it was met.
  void remark(Duty duty, std::string text) { entry(duty).remark = std::move(text); }

  bool rejected() const { return rejected_; }
  // Enough is known: further runs would only repeat what is in the list.
  bool saturated() const { return failures_.size() >= most_failures_; }

  std::vector<VerifyObligation> obligations() const;
  const std::vector<VerifyFailure>& failures() const { return failures_; }

 private:
  struct Entry {
    std::int64_t checks = 0;
    bool failed = false;
    bool applicable = true;
    std::string undecided;
    std::string remark;
    std::set<std::int64_t> lengths;
  };
  Entry& entry(Duty duty) { return entries_[static_cast<std::size_t>(duty)]; }
  void record(Duty duty, std::int64_t length);

  std::string subject_;
  Layer layer_;
  std::size_t most_failures_;
  Entry entries_[kDuties];
  std::set<std::int64_t> skipped_;
  std::vector<VerifyFailure> failures_;
  bool rejected_ = false;
};

// The duty that an emulator finding of this kind offends.
Duty duty_of_finding(const std::string& kind);

}  // namespace heddle
