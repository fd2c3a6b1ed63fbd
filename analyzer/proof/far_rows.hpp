// SPDX-License-Identifier: Apache-2.0
// Single rows so far out that their positions need integers of any size, evaluated from the meaning
// of each shape and by nothing that the proof rules use. For replaying counterexamples.
#pragma once

#include <cstdint>

#include "patterns/pattern.hpp"

namespace heddle::proof {

constexpr std::int64_t kLongestFarRow = 100'000;

// time(i) = |rowA(i)| + |rowB(i)|; fails where a set is not of a shape that has short rows, or its
// row has more than `longest` parts.
Result<Integer> far_time(const Pattern& pattern, const Integer& i,
                         std::int64_t longest = kLongestFarRow);
// cache(i), where a rule of liveness describes live(i); fails otherwise.
Result<Integer> far_cache(const Pattern& pattern, const Integer& i);

}  // namespace heddle::proof
