// SPDX-License-Identifier: Apache-2.0
// Two accesses side by side: the atoms of the second get other names wherever the two may differ,
// and what is known of each is put together.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

struct Instance {
  std::vector<Term> known;
  std::vector<Term> digits;
  std::vector<Term> thread;     // warp and lane
  std::vector<Term> counters;   // of the for loops around it, from the outermost
  std::set<std::string> atoms;  // that it speaks of, by their own names
};

// Whether an atom is the same number in both.
using Common = std::function<bool(const Atom&)>;

// `suffix` is put after every name that is not common.
Renaming renaming(const Facts& facts, const Common& common, const std::string& suffix);
Instance instance(const Facts& facts, const Trace& trace, const Access& access, AtomId warp,
                  AtomId lane, const Renaming& rename);
// A number that lanes of a warp share, or of a group, as one visit has it: another visit by one of
// these lanes in the same iterations has the same one.
struct WarpValue {
  Term value;
  std::vector<Term> lanes;  // the number of the warp, and what numbers the group in it
  std::vector<Term> iterations;
};
// How a visit has it, where the iterations can be told; `same` says in which loops that do not
// count the visits that are compared are in the same iteration anyway.
std::optional<WarpValue> warp_value(const Facts& facts, const Trace& trace, AtomId atom,
                                    const Launch& launch, const std::function<bool(int)>& same,
                                    const std::function<Term(const Term&)>& seen);
Term agree(const WarpValue& a, const WarpValue& b);
// The same for all that both speak of.
std::vector<Term> shared_by_warp(const Facts& facts, const Trace& trace, const Instance& a,
                                 const Instance& b, const Launch& launch, const Renaming& here,
                                 const Renaming& there, const std::function<bool(int)>& same);

bool same_memory(ir::MemoryId a, ir::MemoryId b);
// Whether the numbers alone that their digits cannot leave keep two accesses of one memory apart.
bool far_apart(const Facts& facts, const Access& a, const Access& b);

// All loops around the access, from the outermost.
std::vector<int> loops_of(const Access& access);
// Where the other access comes after a loop around this one: what rises in the loop has, after any
// iteration, not passed what it is in the end.
std::vector<Term> risen(const Facts& facts, const Trace& trace, const Access& access,
                        const Access& later, const Renaming& rename);

// Of loops whose step is an argument: a later iteration is further on by a step at least.
std::vector<Term> steps_apart(const Facts& facts, const Trace& trace, const Access& access,
                              const Renaming& here, const Renaming& there);

// From which stretch of code control may reach another without a barrier between, and through
// later iterations of which loops.
struct Reach {
  int to = 0;
  std::vector<int> around;   // sorted
  std::vector<int> skipped;  // loops without an iteration on the way, where it led around none
};
std::vector<Reach> reachable(const Trace& trace, int segment);
// Where a thread may be while a copy that it started in `segment` is not there yet for all: from
// each stretch the block has come on as reachable() says. Nothing where it may be under way for
// more than an iteration of a loop.
struct Underway {
  int segment = 0;
  std::vector<int> around;   // sorted
  bool arrived = false;      // for the thread itself
  std::vector<int> skipped;  // loops without an iteration on the way, where it led around none
};
std::optional<std::vector<Underway>> underway(const Trace& trace, int segment);
// Of the loops that the second access is in and the first is not, where control came from the one
// to the other without an iteration of theirs behind it: the second is in their first one.
std::vector<Term> first_iterations(const Facts& facts, const Trace& trace, const Access& first,
                                   const Access& second, const std::vector<int>& around,
                                   const Renaming& there);
// What that says of the iterations: `here` names the first place's, `there` the second one's.
std::vector<Term> later_iterations(const Facts& facts, const Trace& trace,
                                   const std::vector<int>& around, const Renaming& here,
                                   const Renaming& there);

}  // namespace heddle::verify
