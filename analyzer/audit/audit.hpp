// SPDX-License-Identifier: Apache-2.0
// Re-checks a certificate without the prover: it reads the pattern text itself, derives from it
// which steps each claim needs and with which goals, licenses every hypothesis, checks the
// arithmetic evidence of each step, has every solver that is installed decide its own text of each
// script, and evaluates small rows.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace heddle {

struct AuditOptions {
  std::vector<std::string> solvers = {"z3", "cvc5"};  // programs; those not found are skipped
  int seconds_per_script = 10;
  int rows_to_evaluate = 48;  // more where a claim was checked further
};

struct SolverTally {
  std::string version;
  int confirmed = 0;  // scripts and companions answered as expected
  int undecided = 0;  // unknown or out of time; the other solver must confirm then
};

// How many of the steps of a proved claim each of the checkers confirms: the solvers, and last the
// arithmetic of the certificate itself.
struct ClaimTally {
  std::string text;
  int steps = 0;
  std::vector<std::pair<std::string, int>> confirmed;
};

struct AuditReport {
  enum class Verdict { kAccepted, kRejected, kUndecided };
  Verdict verdict = Verdict::kUndecided;
  std::vector<std::string> problems;  // why rejected or undecided, one sentence each
  std::vector<SolverTally> solvers;
  int scripts = 0;  // with companions
  int steps = 0, steps_with_evidence = 0;
  std::vector<ClaimTally> claims;  // those that are proved
  std::vector<std::string> checked;
  std::vector<std::string>
      trusted;  // the theorems that the proofs rest on, each with its statement
  std::vector<std::string> not_checked;
};

AuditReport audit(const std::string& certificate_text, const AuditOptions& options = {});

}  // namespace heddle
