// SPDX-License-Identifier: Apache-2.0
// Race freedom: of two threads of a launch, none touches what the other one writes, unless a
// barrier lies between. One query for each pair of accesses to one memory of which one is a write:
// two threads, each anywhere in its own iterations, in the same stretch of code without barriers or
// in stretches that follow each other, the next iteration of a loop included. Threads of different
// blocks never meet a common barrier.
#pragma once

#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/lift.hpp"
#include "codegen/verify/prover.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

struct RacesResult {
  std::vector<Finding> findings;
  int pairs = 0;
};
// Bounds must have been checked: accesses without digits are left out, being unsafe already.
RacesResult check_races(const Lifted& lifted, const Launch& launch, const Facts& facts,
                        Prover& prover, const Trace& trace);

}  // namespace heddle::verify
