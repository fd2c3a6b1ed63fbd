// SPDX-License-Identifier: Apache-2.0
// What the lanes of a warp get from one collective operation, by the definitions of the CUDA
// programming guide, section "warp shuffle functions" and its neighbours.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/emulator/device/bridge.hpp"

namespace heddle::emulator {

using heddle_emulated::Collective;

const char* name_of(Collective kind);

struct LaneOperand {
  std::uint64_t value = 0;
  int operand = 0;
  int width = 32;
};

// The lane whose value `lane` receives from a shuffle; the lane itself where the source lies
// outside its segment.
int shuffle_source(Collective kind, int lane, int operand, int width);

// Result per lane, for the lanes in `members`. For shuffles, bit i of `orphans` is set where lane
// i reads a lane that does not take part; what it gets is then undefined.
struct CollectiveResult {
  std::array<std::uint64_t, 32> values{};
  std::uint32_t orphans = 0;
};
CollectiveResult combine(Collective kind, std::uint32_t members,
                         const std::array<LaneOperand, 32>& operands);

}  // namespace heddle::emulator
