// SPDX-License-Identifier: Apache-2.0
// Numbers that two threads load from one place of shared memory in the same stretch of code are
// equal where the stretch stores nothing there: what a list notes of a row tells its users apart.
#pragma once

#include <vector>

#include "codegen/verify/instances.hpp"

namespace heddle::verify {

// Of what `a` and `b`, visits of the two accesses in one iteration of the loops with barriers
// around them, have loaded before.
std::vector<Term> same_numbers(const Facts& facts, const Trace& trace, const Access& first,
                               const Instance& a, const Renaming& here, const Access& second,
                               const Instance& b, const Renaming& there);

// Whether `load` gives a whole number and comes before the other access in the same stretch and in
// the same iterations.
bool loads_before(const Access& load, const Access& other);

}  // namespace heddle::verify
