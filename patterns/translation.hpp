// SPDX-License-Identifier: Apache-2.0
// Sets whose rows are translates of each other for every i, read off their text.
#pragma once

#include "patterns/pattern.hpp"

namespace heddle {

// True only if there is a set D of distances with row(i) = {i - c : c in D, c < i} for every i that
// has a value: row n then tells rows 1..n. Negative c, and 0 on side B, are left to be found as
// violations, which row n shows where any row does. False is always a right answer.
bool reads_translates(const Pattern& pattern, Side side);

}  // namespace heddle
