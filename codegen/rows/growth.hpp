// SPDX-License-Identifier: Apache-2.0
// Strict growth: which expressions rise or fall at every step of a variable. A stream of positions
// that strictly falls needs no look at the position before.
#pragma once

#include <optional>
#include <string>

#include "codegen/rows/ranges.hpp"

namespace heddle::rows {

class Growth {
 public:
  Growth(const Pattern& pattern, const Evaluator& evaluator, const RangeProver& prover)
      : pattern_(pattern), evaluator_(evaluator), prover_(prover) {}

  // +1 or -1 when the expression strictly rises or falls with the variable over its range in
  // `names`, 0 when it does not depend on it, nothing when none of this can be seen.
  std::optional<int> direction(const Expression& expression, const std::string& variable,
                               const Ranges& names) const;
  // f(k) < f(k+1) for all k in the range: seen from the text, or checked value by value.
  bool ascends(const std::string& function, const Range& steps) const;

 private:
  std::optional<int> arithmetic(const Arithmetic& node, const std::string& variable,
                                const Ranges& names) const;

  const Pattern& pattern_;
  const Evaluator& evaluator_;
  const RangeProver& prover_;
};

}  // namespace heddle::rows
