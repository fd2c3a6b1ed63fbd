// SPDX-License-Identifier: Apache-2.0
// What a claim speaks of.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "patterns/pattern.hpp"

namespace heddle::proof {

// Does the claim have this measure in it?
bool mentions(const Claim& claim, MeasureKind measure);
bool rank_or_congestion(const Claim& claim);
// visit(term) for every measure in the claim, in its order.
void for_each_measure(const Claim& claim, const std::function<void(const MeasureTerm&)>& visit);
// The claim, said of values of the variable up to `last` only.
Claim up_to(Claim claim, const std::string& variable, const Integer& last);
// The numbers that stand in a claim, with those of its parameters; sorted.
std::vector<Integer> constants_of(const Claim& claim, const Pattern& pattern);
// The names in a claim that are not parameters, sorted.
std::vector<std::string> variables_of(const Claim& claim, const Pattern& pattern);

}  // namespace heddle::proof
