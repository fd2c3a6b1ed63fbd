// SPDX-License-Identifier: Apache-2.0
// What generated CUDA kernels call that work out of shared memory, besides device_prelude.cuh.
#pragma once

#include "codegen/cuda/device_prelude.cuh"

namespace heddle {

// Moves kCount elements at once; both places are multiples of as many elements.
template <int kCount, typename T>
__device__ inline void copy_elements(T* to, const T* from) {
#ifndef HEDDLE_FIELD
  struct alignas(kCount * sizeof(T)) Pack {
    T element[kCount];
  };
  *reinterpret_cast<Pack*>(to) = *reinterpret_cast<const Pack*>(from);
#else
  for (int e = 0; e < kCount; ++e) to[e] = from[e];  // wider than any vector of the machine
#endif
}

}  // namespace heddle
