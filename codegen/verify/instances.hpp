// SPDX-License-Identifier: Apache-2.0
// Two accesses side by side: the atoms of the second get other names wherever the two may differ,
// and what is known of each is put together.
#pragma once

#include <string>
#include <vector>

#include "codegen/verify/trace.hpp"

namespace heddle::verify {

struct Instance {
  std::vector<Term> known;
  std::vector<Term> digits;
  std::vector<Term> thread;    // warp and lane
  std::vector<Term> counters;  // of the for loops around it, from the outermost
};

// Whether an atom is the same number in both.
using Common = std::function<bool(const Atom&)>;

// `suffix` is put after every name that is not common.
Renaming renaming(const Facts& facts, const Common& common, const std::string& suffix);
Instance instance(const Facts& facts, const Trace& trace, const Access& access, AtomId warp,
                  AtomId lane, const Renaming& rename);
// All loops around the access, from the outermost.
std::vector<int> loops_of(const Access& access);
// Where the other access comes after a loop around this one: what rises in the loop has, after any
// iteration, not passed what it is in the end.
std::vector<Term> risen(const Facts& facts, const Trace& trace, const Access& access,
                        const Access& later, const Renaming& rename);

// From which stretch of code control may reach another without a barrier between, and through
// later iterations of which loops.
struct Reach {
  int to = 0;
  std::vector<int> around;  // sorted
};
std::vector<Reach> reachable(const Trace& trace, int segment);
// What that says of the iterations: `here` names the first place's, `there` the second one's.
std::vector<Term> later_iterations(const Facts& facts, const Trace& trace,
                                   const std::vector<int>& around, const Renaming& here,
                                   const Renaming& there);

}  // namespace heddle::verify
