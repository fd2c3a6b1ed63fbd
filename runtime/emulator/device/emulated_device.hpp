// SPDX-License-Identifier: Apache-2.0
// CUDA as plain C++: included before the text of a kernel so that the text nvcc would get compiles
// unchanged with the host compiler. With field.hpp before it, `float` is another type throughout.
// It includes nothing, to keep compilation short, and what it
// does not define is refused by the compiler: textures and inline PTX, those of tensor cores
// among them, for which heddle_matrix_product stands in.
#pragma once

// For preludes, which put what stands in for an instruction in its place.
#define HEDDLE_EMULATED 1

// 1. Words of the language.
#define __global__
#define __device__
#define __host__
// Static, so that it outlives a switch to another thread; one section, so that the emulator knows
// where shared memory begins and ends. One block runs at a time.
// Nothing initialises it, which g++ has to be told of arrays of a class.
#define __shared__ static __constinit __attribute__((section("heddle_shared")))
#define __constant__ const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
#define HEDDLE_INLINE static inline __attribute__((always_inline, unused))

// `extern __shared__ T name[];` cannot be said in C++; the emulator writes this in its place.
extern "C" char heddle_dynamic_shared[] __attribute__((visibility("hidden")));
#define HEDDLE_DYNAMIC_SHARED(type, name) \
  type* const name = reinterpret_cast<type*>(heddle_dynamic_shared)

// 2. Where a thread is. Constants, because nothing changes them while one thread runs; the
// sanitizer leaves reads of constants alone.
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};
extern "C" {
extern const uint3 heddle_thread_index __attribute__((visibility("hidden")));
extern const uint3 heddle_block_index __attribute__((visibility("hidden")));
extern const uint3 heddle_block_shape __attribute__((visibility("hidden")));
extern const uint3 heddle_grid_shape __attribute__((visibility("hidden")));
}
#define threadIdx heddle_thread_index
#define blockIdx heddle_block_index
#define blockDim heddle_block_shape
#define gridDim heddle_grid_shape
static constexpr int warpSize = 32;

// 3. Vector types.
struct alignas(8) float2 {
  float x, y;
};
struct float3 {
  float x, y, z;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
HEDDLE_INLINE float2 make_float2(float x, float y) { return {x, y}; }
HEDDLE_INLINE float3 make_float3(float x, float y, float z) { return {x, y, z}; }
HEDDLE_INLINE float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
HEDDLE_INLINE int2 make_int2(int x, int y) { return {x, y}; }
HEDDLE_INLINE int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
HEDDLE_INLINE uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
HEDDLE_INLINE uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}

// 4. Meeting points.
extern "C" {
void heddle_barrier() __attribute__((visibility("hidden")));
unsigned long long heddle_collective(unsigned kind, unsigned mask, unsigned long long value,
                                     int operand, int width) __attribute__((visibility("hidden")));
unsigned heddle_active_mask() __attribute__((visibility("hidden")));
void heddle_atomic(const void* address, unsigned long size) __attribute__((visibility("hidden")));
}
HEDDLE_INLINE void __syncthreads() { heddle_barrier(); }
HEDDLE_INLINE unsigned __activemask() { return heddle_active_mask(); }
HEDDLE_INLINE void __syncwarp(unsigned mask = 0xffffffffu) {
  heddle_collective(static_cast<unsigned>(heddle_emulated::Collective::kSyncWarp), mask, 0, 0, 32);
}
HEDDLE_INLINE void __threadfence() { asm volatile("" ::: "memory"); }
HEDDLE_INLINE void __threadfence_block() { asm volatile("" ::: "memory"); }

template <unsigned kSize>
struct HeddleBits;
template <>
struct HeddleBits<4> {
  using Type = unsigned;
};
template <>
struct HeddleBits<8> {
  using Type = unsigned long long;
};
struct HeddleHalves {
  unsigned long long low, high;
};
template <typename T>
HEDDLE_INLINE T heddle_exchange(heddle_emulated::Collective kind, unsigned mask, T value,
                                int operand, int width) {
  if constexpr (sizeof(T) == sizeof(HeddleHalves)) {  // in two exchanges
    HeddleHalves halves = __builtin_bit_cast(HeddleHalves, value);
    halves.low = heddle_exchange(kind, mask, halves.low, operand, width);
    halves.high = heddle_exchange(kind, mask, halves.high, operand, width);
    return __builtin_bit_cast(T, halves);
  } else {
    using Bits = typename HeddleBits<sizeof(T)>::Type;
    const unsigned long long result = heddle_collective(
        static_cast<unsigned>(kind), mask, __builtin_bit_cast(Bits, value), operand, width);
    return __builtin_bit_cast(T, static_cast<Bits>(result));
  }
}
template <typename T>
HEDDLE_INLINE T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  return heddle_exchange(heddle_emulated::Collective::kShuffle, mask, value, lane, width);
}
template <typename T>
HEDDLE_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return heddle_exchange(heddle_emulated::Collective::kShuffleUp, mask, value,
                         static_cast<int>(delta), width);
}
template <typename T>
HEDDLE_INLINE T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  return heddle_exchange(heddle_emulated::Collective::kShuffleDown, mask, value,
                         static_cast<int>(delta), width);
}
template <typename T>
HEDDLE_INLINE T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  return heddle_exchange(heddle_emulated::Collective::kShuffleXor, mask, value, lanes, width);
}
HEDDLE_INLINE unsigned __ballot_sync(unsigned mask, int predicate) {
  return heddle_exchange(heddle_emulated::Collective::kBallot, mask, unsigned(predicate != 0), 0,
                         32);
}
HEDDLE_INLINE int __any_sync(unsigned mask, int predicate) {
  return heddle_exchange(heddle_emulated::Collective::kAny, mask, int(predicate != 0), 0, 32);
}
HEDDLE_INLINE int __all_sync(unsigned mask, int predicate) {
  return heddle_exchange(heddle_emulated::Collective::kAll, mask, int(predicate != 0), 0, 32);
}
// Reductions of 32-bit integers; the operand tells the emulator whether they are signed.
HEDDLE_INLINE unsigned __reduce_add_sync(unsigned mask, unsigned value) {
  return heddle_exchange(heddle_emulated::Collective::kReduceAdd, mask, value, 0, 32);
}
HEDDLE_INLINE int __reduce_add_sync(unsigned mask, int value) {
  return heddle_exchange(heddle_emulated::Collective::kReduceAdd, mask, value, 1, 32);
}
HEDDLE_INLINE unsigned __reduce_min_sync(unsigned mask, unsigned value) {
  return heddle_exchange(heddle_emulated::Collective::kReduceMin, mask, value, 0, 32);
}
HEDDLE_INLINE int __reduce_min_sync(unsigned mask, int value) {
  return heddle_exchange(heddle_emulated::Collective::kReduceMin, mask, value, 1, 32);
}
HEDDLE_INLINE unsigned __reduce_max_sync(unsigned mask, unsigned value) {
  return heddle_exchange(heddle_emulated::Collective::kReduceMax, mask, value, 0, 32);
}
HEDDLE_INLINE int __reduce_max_sync(unsigned mask, int value) {
  return heddle_exchange(heddle_emulated::Collective::kReduceMax, mask, value, 1, 32);
}

// Asynchronous copies into shared memory, as <cuda_pipeline.h> has them: what is copied arrives
// when the thread that asked for it waits, and not a moment earlier.
extern "C" {
void heddle_copy_start(void* to, const void* from, unsigned long size, unsigned long blank)
    __attribute__((visibility("hidden")));
void heddle_copy_commit() __attribute__((visibility("hidden")));
void heddle_copy_wait(int batches_left) __attribute__((visibility("hidden")));
}
HEDDLE_INLINE void __pipeline_memcpy_async(void* to, const void* from, unsigned long size,
                                           unsigned long blank = 0) {
  heddle_copy_start(to, from, size, blank);
}
HEDDLE_INLINE void __pipeline_commit() { heddle_copy_commit(); }
HEDDLE_INLINE void __pipeline_wait_prior(int batches_left) { heddle_copy_wait(batches_left); }

// 5. Tensor cores: mma.sync.m16n8k16 with operands that were narrow and sums in `float`. A lane
// brings its elements in the order of the PTX manual and gets its four sums; see
// codegen/cuda/tensor_prelude.cuh, which calls this in place of the instruction. Like any exchange
// between lanes it orders no memory.
#define HEDDLE_UNSEEN \
  __attribute__((no_sanitize("thread,undefined"), no_sanitize_coverage, noinline, unused)) static
struct HeddleFragments {
  float left[8], right[4];
};
static HeddleFragments heddle_fragments[32][32];  // by warp and lane
HEDDLE_UNSEEN void heddle_bring(const float* left, const float* right) {
  HeddleFragments& own = heddle_fragments[threadIdx.x / 32][threadIdx.x % 32];
  for (int e = 0; e < 8; ++e) own.left[e] = left[e];
  for (int e = 0; e < 4; ++e) own.right[e] = right[e];
}
HEDDLE_UNSEEN void heddle_sum_products(float* sums) {
  const HeddleFragments* const lanes = heddle_fragments[threadIdx.x / 32];
  for (int e = 0; e < 4; ++e) {
    const int row = int(threadIdx.x) % 32 / 4 + e / 2 * 8,
              column = int(threadIdx.x) % 4 * 2 + e % 2;
    for (int k = 0; k < 16; ++k) {
      const int part = k % 8 / 2, element = k % 2;
      sums[e] += lanes[row % 8 * 4 + part].left[element + row / 8 * 2 + k / 8 * 4] *
                 lanes[column * 4 + part].right[element + k / 8 * 2];
    }
  }
}
HEDDLE_INLINE void heddle_matrix_product(float* sums, const float* left, const float* right) {
  constexpr auto kKind = static_cast<unsigned>(heddle_emulated::Collective::kMatrixProduct);
  heddle_bring(left, right);
  heddle_collective(kKind, 0xffffffffu, 0, 0, 32);
  heddle_sum_products(sums);
  heddle_collective(kKind, 0xffffffffu, 0, 0, 32);  // before any lane brings its next elements
}

// Four matrices of 8 x 8 out of shared memory, as ldmatrix.sync.m8n8.x4 brings them: lane l has the
// place of row l % 8 of matrix l / 8, eight elements that it reads at once, and gets two elements
// of each matrix, of row l / 4 from column 2 (l % 4) on; transposed, of column l / 4 from row
// 2 (l % 4) on.
template <typename T>
struct alignas(16) HeddleRow {
  T element[8];
};
template <typename T>
static HeddleRow<T> heddle_rows[32][32];  // by warp and lane
template <typename T>
HEDDLE_UNSEEN void heddle_bring_row(const T* row) {
  for (int e = 0; e < 8; ++e) {
    heddle_rows<T>[threadIdx.x / 32][threadIdx.x % 32].element[e] = row[e];
  }
}
template <typename T>
HEDDLE_UNSEEN void heddle_take_matrices(T* to, bool transposed) {
  const HeddleRow<T>* const rows = heddle_rows<T>[threadIdx.x / 32];
  const int across = int(threadIdx.x) % 32 / 4, along = int(threadIdx.x) % 4 * 2;
  for (int matrix = 0; matrix < 4; ++matrix) {
    for (int e = 0; e < 2; ++e) {
      to[2 * matrix + e] = transposed ? rows[8 * matrix + along + e].element[across]
                                      : rows[8 * matrix + across].element[along + e];
    }
  }
}
template <typename T>
HEDDLE_INLINE void heddle_load_matrices(T* to, const T* row, bool transposed) {
  constexpr auto kKind = static_cast<unsigned>(heddle_emulated::Collective::kLoadMatrices);
#ifdef HEDDLE_FIELD
  T whole[8];  // wider than any vector of the machine
  for (int e = 0; e < 8; ++e) whole[e] = row[e];
  heddle_bring_row(whole);
#else
  const HeddleRow<T> whole = *reinterpret_cast<const HeddleRow<T>*>(row);
  heddle_bring_row(whole.element);
#endif
  heddle_collective(kKind, 0xffffffffu, 0, 0, 32);
  heddle_take_matrices(to, transposed);
  heddle_collective(kKind, 0xffffffffu, 0, 0, 32);  // before any lane brings its next row
}

// 6. Atomics: one touch of the memory, then the plain operation, which no other thread can divide.
#define HEDDLE_ATOMIC   \
  template <typename T> \
  __attribute__((no_sanitize("thread"), noinline)) static
HEDDLE_ATOMIC T heddle_atomic_load(T* address) { return *address; }
HEDDLE_ATOMIC void heddle_atomic_store(T* address, T value) { *address = value; }
template <typename T>
struct HeddleSame {
  using Type = T;
};
#define HEDDLE_ATOMIC_OPERATION(name, ...)                               \
  template <typename T>                                                  \
  HEDDLE_INLINE T name(T* address, typename HeddleSame<T>::Type value) { \
    heddle_atomic(address, sizeof(T));                                   \
    const T old = heddle_atomic_load(address);                           \
    heddle_atomic_store(address, static_cast<T>(__VA_ARGS__));           \
    return old;                                                          \
  }
HEDDLE_ATOMIC_OPERATION(atomicAdd, old + value)
HEDDLE_ATOMIC_OPERATION(atomicSub, old - value)
HEDDLE_ATOMIC_OPERATION(atomicMax, old < value ? value : old)
HEDDLE_ATOMIC_OPERATION(atomicMin, value < old ? value : old)
HEDDLE_ATOMIC_OPERATION(atomicExch, value)
HEDDLE_ATOMIC_OPERATION(atomicAnd, old& value)
HEDDLE_ATOMIC_OPERATION(atomicOr, old | value)
HEDDLE_ATOMIC_OPERATION(atomicXor, old ^ value)
template <typename T>
HEDDLE_INLINE T atomicCAS(T* address, typename HeddleSame<T>::Type expected,
                          typename HeddleSame<T>::Type value) {
  heddle_atomic(address, sizeof(T));
  const T old = heddle_atomic_load(address);
  if (old == expected) heddle_atomic_store(address, value);
  return old;
}

// 7. Loads, bits and arithmetic. Library functions are declared as the C library has them.
template <typename T>
HEDDLE_INLINE T __ldg(const T* address) {
  return *address;
}
HEDDLE_INLINE int __popc(unsigned x) { return __builtin_popcount(x); }
HEDDLE_INLINE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
HEDDLE_INLINE int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
HEDDLE_INLINE int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(x); }
HEDDLE_INLINE int __ffs(int x) { return __builtin_ffs(x); }
HEDDLE_INLINE int __ffsll(long long x) { return __builtin_ffsll(x); }

#ifndef HEDDLE_FIELD  // field.hpp has its own functions; its numbers have no bits and no roots
HEDDLE_INLINE int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
HEDDLE_INLINE unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
HEDDLE_INLINE float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
HEDDLE_INLINE float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }

extern "C" {
float expf(float) noexcept;
float exp2f(float) noexcept;
float logf(float) noexcept;
float log2f(float) noexcept;
float sqrtf(float) noexcept;
float fabsf(float) noexcept;
float fmaxf(float, float) noexcept;
float fminf(float, float) noexcept;
float fmaf(float, float, float) noexcept;
float floorf(float) noexcept;
float ceilf(float) noexcept;
float powf(float, float) noexcept;
float tanhf(float) noexcept;
}
HEDDLE_INLINE float rsqrtf(float x) { return 1.0f / sqrtf(x); }
#endif
// Macros: the C library's own header, should a text include it, declares functions of these names.
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __fdividef(x, y) ((x) / (y))
#define __frcp_rn(x) (1.0f / (x))
#define __fsqrt_rn(x) sqrtf(x)
#define __fadd_rn(x, y) ((x) + (y))
#define __fmul_rn(x, y) ((x) * (y))
#define __fdiv_rn(x, y) ((x) / (y))
#define __fmaf_rn(x, y, z) fmaf(x, y, z)

#define HEDDLE_EXTREMES(T)                                \
  HEDDLE_INLINE T min(T a, T b) { return b < a ? b : a; } \
  HEDDLE_INLINE T max(T a, T b) { return a < b ? b : a; }
HEDDLE_EXTREMES(int)
HEDDLE_EXTREMES(unsigned)
HEDDLE_EXTREMES(long)
HEDDLE_EXTREMES(unsigned long)
HEDDLE_EXTREMES(long long)
HEDDLE_EXTREMES(unsigned long long)
HEDDLE_EXTREMES(float)
HEDDLE_EXTREMES(double)
