// SPDX-License-Identifier: Apache-2.0
// Why a claim fails at a counterexample, in words that a person can check by hand: the positions
// that a row reads or that stay live, or a shortest path.
#pragma once

#include <string>

#include "analyzer/certificate/verdict.hpp"
#include "patterns/pattern.hpp"

namespace heddle::proof {

// One clause per measure of the claim, "; " between; empty where the rows are too far out to list.
std::string explain(const Pattern& pattern, const Claim& claim, const Counterexample& found);

}  // namespace heddle::proof
