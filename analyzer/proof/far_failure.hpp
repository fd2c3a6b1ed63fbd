// SPDX-License-Identifier: Apache-2.0
// Counterexamples beyond the rows that are all looked at. Each is evaluated exactly before it is
// told, measures of many rows by forms that are proved, and is called the smallest only where a
// proof vouches for every place before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/proof/deriver.hpp"

namespace heddle::proof {

struct FarFailure {
  Refuted refuted;
  // The claim for rows before the counterexample's, where that is proved.
  std::optional<ClaimVerdict> before;
};

// The claim for rows before the place, which is that of a counterexample, if that is proved. Of
// claims with one variable, or with i and j.
struct ProofBefore {
  std::optional<ClaimVerdict> proved;
  // A condition after `for` may have no value in later rows, so that no claim says it.
  bool without_words = false;
  std::optional<Integer> suspect;  // where not, as in ClaimAttempt
};
ProofBefore prove_before(const Subject& subject, const Claim& claim,
                         const std::vector<std::string>& names, const Bindings& place);

// Nothing fails up to `checked`. Where the solver has a model, `suspect` is the largest number in
// it.
std::optional<FarFailure> refute_further(const Subject& subject, Deriver& deriver,
                                         const Claim& claim, const std::vector<std::string>& names,
                                         const std::optional<Integer>& suspect,
                                         std::int64_t checked);

}  // namespace heddle::proof
