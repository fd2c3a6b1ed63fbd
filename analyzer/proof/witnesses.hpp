// SPDX-License-Identifier: Apache-2.0
// What lets a sceptic see congestion(n) and rank(m) at the counterexample of a claim without
// solving the task again: lines in the format of audit/witnesses.hpp.
#pragma once

#include <string>

#include "analyzer/certificate/verdict.hpp"
#include "patterns/pattern.hpp"

namespace heddle::proof {

// Empty where the claim has no such measure, or its argument is too large for a search.
std::string witnesses_of(const Pattern& pattern, const Claim& claim, const Counterexample& at);

}  // namespace heddle::proof
