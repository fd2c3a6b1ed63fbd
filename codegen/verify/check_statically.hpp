// SPDX-License-Identifier: Apache-2.0
// The static layer: what holds of a CUDA kernel's text for every launch, whatever its sizes. The
// text is read back and all proofs are about what was read. A report is `verified` when every
// obligation is proved, `rejected` when one is broken for certain, `unknown` otherwise, which is
// also what an unreadable text gets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analyzer/smt/solver.hpp"
#include "codegen/manifest.hpp"

namespace heddle {

enum class StaticVerdict { kVerified, kRejected, kUnknown };
const char* name_of(StaticVerdict verdict);  // "verified", "rejected", "unknown"

struct StaticObligation {
  std::string name;  // "reading", "barriers", "arithmetic", "bounds", "races", "initialised", ...
  StaticVerdict verdict = StaticVerdict::kUnknown;
  std::string method;  // what was shown, and how
};
struct StaticFailure {
  std::string obligation;
  std::string message;
  std::string where;  // file:line:column
};
struct ReplayableScript {
  std::string statement;
  std::string script;  // SMT-LIB 2, unsat
};

struct StaticReport {
  StaticVerdict verdict = StaticVerdict::kUnknown;
  std::vector<StaticObligation> obligations;
  std::vector<StaticFailure> failures;
  std::vector<ReplayableScript> scripts;  // where asked for
  int questions = 0;                      // put to the solver
};

struct StaticOptions {
  std::uint64_t resource_limit = 3'000'000;  // of the solver, per question
  bool keep_scripts = false;
  // Ask no further after an obligation that is not met: enough to know that a text is not verified.
  bool until_a_failure = false;
  // Launches of a few tokens are replayed on numbers, up to so many operations of single threads:
  // what goes wrong in one is rejected, not just undecided.
  std::int64_t replay_work = 200'000'000;
  // What checks of similar texts asked before under the same limit need not be asked again; one
  // check at a time may use it.
  std::map<std::string, smt::Answer>* answered = nullptr;
};

// `text` is the kernel file that `entry` describes; `files`, by name, those beside it, of which it
// may include preludes.
StaticReport check_statically(const std::string& text,
                              const std::map<std::string, std::string>& files,
                              const Manifest& manifest, const KernelEntry& entry,
                              const StaticOptions& options = {});

}  // namespace heddle
