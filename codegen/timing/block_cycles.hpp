// SPDX-License-Identifier: Apache-2.0
// The cycles of a block, phase by phase.
#pragma once

#include <cstdint>
#include <vector>

namespace heddle::timing {

// What a block does between one barrier and the next, all visits together.
struct PhaseCycles {
  int from_line = 0;  // of the barrier that begins it; 0: the start
  std::int64_t visits = 0;
  std::int64_t cycles = 0;         // of a block alone
  std::int64_t cycles_of_all = 0;  // of blocks side by side
  // The most of these four it is, and a barrier.
  std::int64_t chain = 0;     // of the slowest warp: it waits for results
  std::int64_t issue = 0;     // of the fullest scheduler
  std::int64_t requests = 0;  // to shared memory and the first cache
  std::int64_t products = 0;  // of the fullest tensor core
};

struct BlockCycles {
  std::int64_t cycles = 0;
  std::int64_t cycles_of_all = 0;
  std::vector<PhaseCycles> phases;
};

}  // namespace heddle::timing
