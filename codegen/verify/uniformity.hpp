// SPDX-License-Identifier: Apache-2.0
// Which threads of a block may disagree on a value, and the rules that rest on it: a barrier stands
// only where all threads of a block arrive together, a warp reduction only where all 32 lanes of a
// warp do, one over a group of lanes only where all lanes of the group do. What is loaded counts as
// equal for threads that load it from one place; that no other thread writes there meanwhile is
// what race freedom says.
#pragma once

#include <string>
#include <vector>

#include "codegen/verify/lift.hpp"

namespace heddle::verify {

// How far a value may differ between threads; each includes the ones before it, since aligned
// groups of lanes lie within each other: those of so many agree.
enum class Spread { kSame, kByWarp, kBy16Lanes, kBy8Lanes, kBy4Lanes, kBy2Lanes, kByLane };

// Lanes of a warp that agree on such a value.
int lanes_that_agree(Spread spread);

struct Divergence {
  TextPlace at;
  std::string sentence;
};

struct Uniformity {
  std::vector<Spread> variables;  // by VariableId
  std::vector<Divergence> divergences;
  int barriers = 0;
  int reductions = 0;  // of warps
  int groups = 0;      // meetings of groups of lanes
};

Uniformity spread_of(const Lifted& lifted);

}  // namespace heddle::verify
