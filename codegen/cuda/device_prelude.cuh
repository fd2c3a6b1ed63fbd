// SPDX-License-Identifier: Apache-2.0
// What generated CUDA kernels call. C++17, no other header: it compiles under nvcc and NVRTC, and as
// plain C++ where __device__, __shfl_xor_sync and the like are defined beforehand.
#pragma once

#define HEDDLE_FUNCTION __device__ inline

#include "codegen/prelude/scalars.hpp"

namespace heddle {

// Over the 32 lanes of a warp that all arrive; each lane gets the same result.
__device__ inline float warp_sum(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}
// Of values in 0..2^31 - 1.
__device__ inline Index warp_max(Index x) {
  int highest = static_cast<int>(x);
  for (int mask = 16; mask > 0; mask /= 2) {
    const int other = __shfl_xor_sync(0xffffffffu, highest, mask);
    highest = other > highest ? other : highest;
  }
  return highest;
}

}  // namespace heddle
