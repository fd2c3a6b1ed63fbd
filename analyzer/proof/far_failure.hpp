// SPDX-License-Identifier: Apache-2.0
// Counterexamples beyond the rows that are all looked at. Each is evaluated exactly before it is
// told, measures of many rows by forms that are proved, and is called the smallest only where a
// proof vouches for every value before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/proof/deriver.hpp"

namespace heddle::proof {

// Nothing fails up to `checked`. Where the solver has a model, `suspect` is the largest number in
// it.
std::optional<Refuted> refute_further(const Subject& subject, Deriver& deriver, const Claim& claim,
                                      const std::vector<std::string>& names,
                                      const std::optional<Integer>& suspect, std::int64_t checked);

}  // namespace heddle::proof
