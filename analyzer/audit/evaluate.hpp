// SPDX-License-Identifier: Apache-2.0
// Claims evaluated on the first rows, straight from the definitions: time by counting rows, hops by
// walking the graph. Shares nothing with the measures that the prover uses.
#pragma once

#include <optional>
#include <string>

#include "analyzer/certificate.hpp"
#include "patterns/pattern.hpp"

namespace heddle::auditing {

class SmallRows {
 public:
  // Rows 1..n, or why they are wrong.
  static Result<SmallRows> of(const Pattern& pattern, int n);

  // What contradicts the verdict on the claim, if anything does on these rows.
  std::optional<std::string> contradiction(const Claim& claim,
                                           const CertifiedClaim& certified) const;
  // Claims with other measures than time and hops say nothing on single rows.
  static bool can_evaluate(const CertifiedClaim& certified);

 private:
  explicit SmallRows(const Pattern& pattern) : pattern_(&pattern) {}
  const Pattern* pattern_;
  int n_ = 0;
  std::vector<std::int64_t> time_;
  std::vector<std::vector<int>> hops_;  // [i][j], -1 without a path
};

}  // namespace heddle::auditing
