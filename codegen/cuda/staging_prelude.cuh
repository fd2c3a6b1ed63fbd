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

__device__ inline void narrow(float x, float& to) { to = x; }
__device__ inline void narrow(float x, bf16& to) { to = to_bf16(x); }
__device__ inline void narrow(float x, f16& to) { to = to_f16(x); }

template <typename T>
constexpr bool is_bf16 = false;
template <>
constexpr bool is_bf16<bf16> = true;

// Two neighbours, which memory moves at once.
template <typename T>
struct alignas(2 * sizeof(T)) Pair {
  T element[2];
};
// A device has an instruction for both; of a NaN it keeps that it is one.
template <typename T>
__device__ inline Pair<T> narrow_pair(float first, float second) {
  Pair<T> pair;
#ifndef HEDDLE_EMULATED
  if constexpr (sizeof(T) == 2) {
    unsigned word;
    if constexpr (is_bf16<T>) {
      asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    } else {
      asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    }
    pair.element[0].bits = static_cast<unsigned short>(word);
    pair.element[1].bits = static_cast<unsigned short>(word >> 16);
    return pair;
  }
#endif
  narrow(first, pair.element[0]);
  narrow(second, pair.element[1]);
  return pair;
}

// Neighbours that memory moves at once.
template <int kCount, typename T>
struct alignas(kCount * sizeof(T)) Vector {
  T element[kCount];
};

// Reads kCount elements at once and leaves them as floats; the place is a multiple of as many.
template <int kCount, typename T>
__device__ inline void load_elements(float* to, const T* from) {
#ifndef HEDDLE_FIELD
  if constexpr (sizeof(T) == 2 && kCount > 1) {
    // As words, which no compiler takes apart.
    const auto words = *reinterpret_cast<const Vector<kCount / 2, unsigned>*>(from);
#pragma unroll
    for (int e = 0; e < kCount; ++e) {
      T element;
      element.bits = static_cast<unsigned short>(words.element[e / 2] >> (e % 2 * 16));
      to[e] = to_float(element);
    }
  } else {
    const auto elements = *reinterpret_cast<const Vector<kCount, T>*>(from);
#pragma unroll
    for (int e = 0; e < kCount; ++e) to[e] = to_float(elements.element[e]);
  }
#else
  for (int e = 0; e < kCount; ++e) to[e] = to_float(from[e]);
#endif
}

// Writes kCount floats at once, rounded to what the place holds; it is a multiple of as many.
template <int kCount, typename T>
__device__ inline void store_elements(T* to, const float* from) {
#ifndef HEDDLE_FIELD
  Vector<kCount, T> elements;
  if constexpr (kCount == 1) {
    narrow(from[0], elements.element[0]);
  } else {
#pragma unroll
    for (int e = 0; e < kCount; e += 2) {
      const Pair<T> pair = narrow_pair<T>(from[e], from[e + 1]);
      elements.element[e] = pair.element[0];
      elements.element[e + 1] = pair.element[1];
    }
  }
  *reinterpret_cast<Vector<kCount, T>*>(to) = elements;
#else
  for (int e = 0; e < kCount; ++e) narrow(from[e], to[e]);
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
