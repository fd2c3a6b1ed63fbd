// SPDX-License-Identifier: Apache-2.0
// What generated CUDA kernels call that work out of shared memory, besides device_prelude.cuh.
#pragma once

#include "codegen/cuda/device_prelude.cuh"

namespace heddle {

// Zero in kCount elements at once; the place is a multiple of as many.
template <int kCount, typename T>
__device__ inline void clear_elements(T* to) {
#ifndef HEDDLE_FIELD
  struct alignas(kCount * sizeof(T)) Pack {
    T element[kCount];
  };
  *reinterpret_cast<Pack*>(to) = Pack{};
#else
  for (int e = 0; e < kCount; ++e) to[e] = T{};
#endif
}

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

// The same from global to shared memory, behind the thread's back: what is copied is there for the
// thread once it has awaited its batch, and for others after a barrier that follows.
template <int kCount, typename T>
__device__ inline void start_copy(T* to, const T* from) {
  constexpr int kBytes = static_cast<int>(kCount * sizeof(T));
  if constexpr (kBytes < 4) {  // too little to be worth an engine of its own
    copy_elements<kCount>(to, from);
  } else {
#if defined(HEDDLE_FIELD)
    for (int e = 0; e < kCount; ++e) __pipeline_memcpy_async(to + e, from + e, sizeof(T));
#elif defined(HEDDLE_EMULATED)
    __pipeline_memcpy_async(to, from, kBytes);
#else
    const unsigned place = static_cast<unsigned>(__cvta_generic_to_shared(to));
    if constexpr (kBytes == 16) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(place), "l"(from) : "memory");
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(place), "l"(from), "n"(kBytes)
                   : "memory");
    }
#endif
  }
}
// The copies started since the last batch are one.
__device__ inline void close_batch() {
#ifdef HEDDLE_EMULATED
  __pipeline_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Until all batches but the kLeft newest have arrived.
template <int kLeft>
__device__ inline void await_batches() {
#ifdef HEDDLE_EMULATED
  __pipeline_wait_prior(kLeft);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

}  // namespace heddle
