// SPDX-License-Identifier: Apache-2.0
// Whether every row of a pattern reads earlier positions only: rowA(i) within 1..i and rowB(i)
// within 1..i-1 for every i, and each row has a value at all. A pattern that is not causal is
// rejected before anything else is asked about it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/certificate/verdict.hpp"
#include "patterns/expression.hpp"

namespace heddle {

struct CausalityOptions {
  std::int64_t rows_to_check = 4096;         // when the proof fails; fewer if rows are long
  std::uint64_t resource_limit = 2'000'000;  // of the solver, per obligation
};

struct CausalityVerdict {
  enum class Status { kProved, kRejected, kUnknown };
  Status status = Status::kUnknown;
  std::string rule;                       // kProved
  std::vector<Obligation> obligations;    // kProved
  std::string code;                       // kRejected: the diagnostic code, "E040" to "E043"
  std::optional<RowViolation> violation;  // kRejected: the first row that reads outside its range
  std::string message;                    // kRejected and kUnknown: one sentence saying why
  std::int64_t rows_checked = 0;          // kUnknown: no violation up to this row
};

CausalityVerdict prove_causal(const Pattern& pattern, const CausalityOptions& options = {});

}  // namespace heddle
