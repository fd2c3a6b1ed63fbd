// SPDX-License-Identifier: Apache-2.0
// What generated CUDA kernels call. C++17, no other header: it compiles under nvcc and NVRTC, and
// as plain C++ where __device__, __shfl_xor_sync and the like are defined beforehand.
#pragma once

#define HEDDLE_FUNCTION __device__ inline

#include "codegen/prelude/scalars.hpp"

namespace heddle {

// Over the 32 lanes of a warp that all arrive, or aligned groups of them; each lane that is summed
// gets the same result.
template <int kLanes = 32>
__device__ inline float warp_sum(float x) {
  for (int mask = kLanes / 2; mask > 0; mask /= 2) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}
// Of values in 0..2^31 - 1.
template <int kLanes = 32>
__device__ inline Index warp_max(Index x) {
  int highest = static_cast<int>(x);
  for (int mask = kLanes / 2; mask > 0; mask /= 2) {
    const int other = __shfl_xor_sync(0xffffffffu, highest, mask);
    highest = other > highest ? other : highest;
  }
  return highest;
}

// A warp's lanes in aligned groups of kLanes: all lanes of a group arrive and each gets the same
// result, while other groups may be elsewhere.
template <int kLanes>
__device__ inline unsigned lanes_of_group() {
  static_assert(kLanes == 2 || kLanes == 4 || kLanes == 8 || kLanes == 16, "no group of lanes");
  return (0xffffffffu >> (32 - kLanes)) << (threadIdx.x % 32 / kLanes * kLanes);
}
template <int kLanes>
__device__ inline float group_sum(float x) {
  const unsigned lanes = lanes_of_group<kLanes>();
  for (int mask = kLanes / 2; mask > 0; mask /= 2) x += __shfl_xor_sync(lanes, x, mask);
  return x;
}
// What lane `from` of the group has, 0 <= from < kLanes.
template <int kLanes>
__device__ inline float group_read(float x, Index from) {
  return __shfl_sync(lanes_of_group<kLanes>(), x, static_cast<int>(from), kLanes);
}
// Of values in 0..2^31 - 1.
template <int kLanes>
__device__ inline Index group_max(Index x) {
  const unsigned lanes = lanes_of_group<kLanes>();
  int highest = static_cast<int>(x);
  for (int mask = kLanes / 2; mask > 0; mask /= 2) {
    const int other = __shfl_xor_sync(lanes, highest, mask);
    highest = other > highest ? other : highest;
  }
  return highest;
}

}  // namespace heddle
