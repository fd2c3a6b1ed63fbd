// SPDX-License-Identifier: Apache-2.0
// A value of a warp: what it is in each lane, when it is there, and its name.
#pragma once

#include <array>
#include <cstdint>

#include "codegen/timing/names.hpp"

namespace heddle::timing {

constexpr int kLanes = 32;
using Mask = std::uint32_t;  // of lanes
constexpr Mask kAllLanes = 0xffffffffu;

struct Number {
  std::array<std::int64_t, kLanes> whole{};  // and truths
  std::array<float, kLanes> real{};
  Cycle ready = 0;
  Name name;
};

template <typename Do>
void each_lane(Mask mask, Do&& act) {
  for (; mask != 0; mask &= mask - 1) act(static_cast<std::size_t>(__builtin_ctz(mask)));
}

}  // namespace heddle::timing
