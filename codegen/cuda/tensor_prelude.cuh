// SPDX-License-Identifier: Apache-2.0
// Products of small matrices by whole warps, for kernels on tensor cores. All 32 lanes arrive.
//
// One product is C(16 x 8) += A(16 x 16) B(16 x 8), the shape m16n8k16 of the PTX manual, and what
// a lane holds of it is laid out as there: with g = lane / 4 and t = lane % 4,
//   A  elements 0..7   row g + 8 (e / 2 % 2), column 2 t + e % 2 + 8 (e / 4)
//   B  elements 0..3   row 2 t + e % 2 + 8 (e / 2), column g
//   C  elements 0..3   row g + 8 (e / 2), column 2 t + e % 2
// `sums` are the lane's elements of kTiles such C side by side, four floats each. Operands are bf16
// or f16, products are exact and sums are kept in f32. Places and strides are multiples of sixteen
// bytes in shared memory, and even elsewhere; rows that are 16 n + 8 elements apart meet no bank
// conflict.
#pragma once

#include "codegen/cuda/staging_prelude.cuh"

namespace heddle {

__device__ inline int fragment_row() { return static_cast<int>(threadIdx.x) % 32 / 4; }
__device__ inline int fragment_column() { return static_cast<int>(threadIdx.x) % 4 * 2; }

template <typename T>
__device__ inline Pair<T> load_pair(const T* from) {
#ifndef HEDDLE_FIELD
  return *reinterpret_cast<const Pair<T>*>(from);
#else
  return {{from[0], from[1]}};  // wider than any vector of the machine
#endif
}
#ifndef HEDDLE_FIELD
// As one word, which no compiler takes apart: two requests would meet each other's banks.
template <>
__device__ inline Pair<float> load_pair(const float* from) {
  const unsigned long long word = *reinterpret_cast<const unsigned long long*>(from);
  FloatBits first, second;
  first.bits = static_cast<unsigned>(word);
  second.bits = static_cast<unsigned>(word >> 32);
  return {{first.value, second.value}};
}
#endif
template <typename T>
__device__ inline void store_pair(T* to, float first, float second) {
  const Pair<T> pair = narrow_pair<T>(first, second);
#ifndef HEDDLE_FIELD
  *reinterpret_cast<Pair<T>*>(to) = pair;
#else
  to[0] = pair.element[0];
  to[1] = pair.element[1];
#endif
}

template <typename T>
struct LeftFragment {  // A
  Pair<T> pair[4];
};
template <typename T>
struct RightFragment {  // B
  Pair<T> pair[2];
};

// Four matrices of 8 x 8 out of shared memory, a pair of each to a lane. Lane l names row l % 8 of
// matrix l / 8, of eight elements; pairs lie in rows like those of A and, where kAcross, down the
// columns, like those of a B whose rows are the rows in memory.
template <bool kAcross, typename T>
__device__ inline void load_matrices(const T* row, Pair<T>* pairs) {
#ifdef HEDDLE_EMULATED
  T elements[8];
  heddle_load_matrices(elements, row, kAcross);
  for (int e = 0; e < 8; ++e) pairs[e / 2].element[e % 2] = elements[e];
#else
  const unsigned place = static_cast<unsigned>(__cvta_generic_to_shared(row));
  unsigned words[4];
  if constexpr (kAcross) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(place)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(place)
                 : "memory");
  }
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    pairs[p].element[0].bits = static_cast<unsigned short>(words[p]);
    pairs[p].element[1].bits = static_cast<unsigned short>(words[p] >> 16);
  }
#endif
}
// Of four matrices, two below each other and two side by side: the first row of its own that a lane
// names, and the first column.
__device__ inline int matrix_row() {
  return static_cast<int>(threadIdx.x) % 8 + static_cast<int>(threadIdx.x) % 16 / 8 * 8;
}
__device__ inline int matrix_column() { return static_cast<int>(threadIdx.x) % 32 / 16 * 8; }

// A[m][k] = from[m stride + k].
template <typename T>
__device__ inline LeftFragment<T> left_of_rows(const T* from, Index stride) {
  LeftFragment<T> left;
  load_matrices<false>(from + matrix_row() * stride + matrix_column(), left.pair);
  return left;
}
// A[m][k] = from[k stride + m].
template <typename T>
__device__ inline LeftFragment<T> left_of_columns(const T* from, Index stride) {
  LeftFragment<T> left;
  const int row = static_cast<int>(threadIdx.x) % 8 + matrix_column();
  load_matrices<true>(from + row * stride + static_cast<int>(threadIdx.x) % 16 / 8 * 8, left.pair);
  return left;
}
// A[m][k] = weights[k] from[k stride + m] in two parts: rounded, and what rounding left, rounded.
template <typename T>
__device__ inline void left_of_columns(const T* from, Index stride, const float* weights,
                                       LeftFragment<T>& rounded, LeftFragment<T>& rest) {
#pragma unroll
  for (int p = 0; p < 4; ++p) {
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const int k = fragment_column() + p / 2 * 8 + e;
      const float product = weights[k] * to_float(from[k * stride + fragment_row() + p % 2 * 8]);
      narrow(product, rounded.pair[p].element[e]);
      narrow(product - to_float(rounded.pair[p].element[e]), rest.pair[p].element[e]);
    }
  }
}
// A is what two products side by side have left, rounded.
template <typename T>
__device__ inline LeftFragment<T> left_of_sums(const float* sums) {
  LeftFragment<T> left;
#pragma unroll
  for (int p = 0; p < 4; ++p) left.pair[p] = narrow_pair<T>(sums[2 * p], sums[2 * p + 1]);
  return left;
}
// Of two B side by side.
template <typename T>
struct RightFragments {
  RightFragment<T> tile[2];
};
template <typename T>
__device__ inline RightFragments<T> two_rights(const Pair<T>* pairs) {
  return {{{{pairs[0], pairs[1]}}, {{pairs[2], pairs[3]}}}};
}
// B[k][n] = from[n stride + k].
template <typename T>
__device__ inline RightFragment<T> right_of_rows(const T* from, Index stride) {
  const T* const row = from + fragment_row() * stride + fragment_column();
  return {{load_pair(row), load_pair(row + 8)}};
}
template <typename T>
__device__ inline RightFragments<T> two_rights_of_rows(const T* from, Index stride) {
  const int row = static_cast<int>(threadIdx.x) % 8 + matrix_column();
  Pair<T> pairs[4];
  load_matrices<false>(from + row * stride + static_cast<int>(threadIdx.x) % 16 / 8 * 8, pairs);
  return two_rights(pairs);
}
// B[k][n] = from[k stride + n].
template <typename T>
__device__ inline RightFragment<T> right_of_columns(const T* from, Index stride) {
  RightFragment<T> right;
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    right.pair[e / 2].element[e % 2] =
        from[(fragment_column() + e / 2 * 8 + e % 2) * stride + fragment_row()];
  }
  return right;
}

template <typename T>
__device__ inline RightFragments<T> two_rights_of_columns(const T* from, Index stride) {
  Pair<T> pairs[4];
  load_matrices<true>(from + matrix_row() * stride + matrix_column(), pairs);
  return two_rights(pairs);
}

#ifndef HEDDLE_EMULATED
template <typename T>
__device__ inline unsigned word_of(const Pair<T>& pair) {
  return pair.element[0].bits | static_cast<unsigned>(pair.element[1].bits) << 16;
}
#define HEDDLE_PRODUCT(T, name)                                                    \
  __device__ inline void add_product(float* sums, const LeftFragment<T>& left,     \
                                     const RightFragment<T>& right) {              \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." name "." name            \
                 ".f32 "                                                           \
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])      \
                 : "r"(word_of(left.pair[0])), "r"(word_of(left.pair[1])),         \
                   "r"(word_of(left.pair[2])), "r"(word_of(left.pair[3])),         \
                   "r"(word_of(right.pair[0])), "r"(word_of(right.pair[1])));      \
  }
HEDDLE_PRODUCT(bf16, "bf16")
HEDDLE_PRODUCT(f16, "f16")
#undef HEDDLE_PRODUCT
#else
template <typename T>
__device__ inline void add_product(float* sums, const LeftFragment<T>& left,
                                   const RightFragment<T>& right) {
  float wide_left[8], wide_right[4];
  for (int e = 0; e < 8; ++e) wide_left[e] = to_float(left.pair[e / 2].element[e % 2]);
  for (int e = 0; e < 4; ++e) wide_right[e] = to_float(right.pair[e / 2].element[e % 2]);
  heddle_matrix_product(sums, wide_left, wide_right);
}
#endif

// ---- what kernels call: C += A B with the operands where and as the name says
// --------------------

// sums += a B, where B are kTiles tiles side by side: B[k][n] = right[n][k], or right[k][n].
template <int kTiles, typename T>
__device__ inline void add_rows(float* sums, const LeftFragment<T>& a, const T* right,
                                Index stride) {
#pragma unroll
  for (int tile = 0; tile + 1 < kTiles; tile += 2) {
    const RightFragments<T> b = two_rights_of_rows(right + 8 * tile * stride, stride);
    add_product(sums + 4 * tile, a, b.tile[0]);
    add_product(sums + 4 * tile + 4, a, b.tile[1]);
  }
  if constexpr (kTiles % 2 == 1) {
    add_product(sums + 4 * kTiles - 4, a, right_of_rows(right + 8 * (kTiles - 1) * stride, stride));
  }
}
template <int kTiles, typename T>
__device__ inline void add_columns(float* sums, const LeftFragment<T>& a, const T* right,
                                   Index stride) {
#pragma unroll
  for (int tile = 0; tile + 1 < kTiles; tile += 2) {
    const RightFragments<T> b = two_rights_of_columns(right + 8 * tile, stride);
    add_product(sums + 4 * tile, a, b.tile[0]);
    add_product(sums + 4 * tile + 4, a, b.tile[1]);
  }
  if constexpr (kTiles % 2 == 1) {
    add_product(sums + 4 * kTiles - 4, a, right_of_columns(right + 8 * (kTiles - 1), stride));
  }
}

// C[m][n] += sum over k < kDepth of left[m][k] right[n][k].
template <int kTiles, int kDepth, typename T>
__device__ inline void multiply_rows_by_rows(float* sums, const T* left, Index left_stride,
                                             const T* right, Index right_stride) {
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    add_rows<kTiles>(sums, left_of_rows(left + k, left_stride), right + k, right_stride);
  }
}
// C[m][n] += sum over k < kDepth of left[m][k] right[k][n].
template <int kTiles, int kDepth, typename T>
__device__ inline void multiply_rows_by_columns(float* sums, const T* left, Index left_stride,
                                                const T* right, Index right_stride) {
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    add_columns<kTiles>(sums, left_of_rows(left + k, left_stride), right + k * right_stride,
                        right_stride);
  }
}
// C[m][n] += sum over k < 16 of left[m][k] right[k][n]; `left` are two tiles of sums, rounded.
template <int kTiles, typename T>
__device__ inline void multiply_sums_by_columns(float* sums, const float* left, const T* right,
                                                Index right_stride) {
  add_columns<kTiles>(sums, left_of_sums<T>(left), right, right_stride);
}
// ... of left[m][k] right[n][k].
template <int kTiles, typename T>
__device__ inline void multiply_sums_by_rows(float* sums, const float* left, const T* right,
                                             Index right_stride) {
  add_rows<kTiles>(sums, left_of_sums<T>(left), right, right_stride);
}
// C[m][n] += sum over k < 16 of left[k][m] right[n][k].
template <int kTiles, typename T>
__device__ inline void multiply_columns_by_rows(float* sums, const T* left, Index left_stride,
                                                const T* right, Index right_stride) {
  add_rows<kTiles>(sums, left_of_columns(left, left_stride), right, right_stride);
}
// ... of left[k][m] right[k][n].
template <int kTiles, typename T>
__device__ inline void multiply_columns(float* sums, const T* left, Index left_stride,
                                        const T* right, Index right_stride) {
  add_columns<kTiles>(sums, left_of_columns(left, left_stride), right, right_stride);
}
// C[m][n] += sum over k < kDepth of weights[k] left[k][m] right[k][n]. The weighted operand is
// taken in two parts, so that what is summed for long stays as good as f32.
template <int kTiles, int kDepth, typename T>
__device__ inline void multiply_columns_by_columns(float* sums, const T* left, Index left_stride,
                                                   const float* weights, const T* right,
                                                   Index right_stride) {
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    LeftFragment<T> a, rest;
    left_of_columns(left + k * left_stride, left_stride, weights + k, a, rest);
    const T* const rows = right + k * right_stride;
#pragma unroll
    for (int tile = 0; tile + 1 < kTiles; tile += 2) {
      const RightFragments<T> b = two_rights_of_columns(rows + 8 * tile, right_stride);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        add_product(sums + 4 * (tile + half), rest, b.tile[half]);
        add_product(sums + 4 * (tile + half), a, b.tile[half]);
      }
    }
    if constexpr (kTiles % 2 == 1) {
      const RightFragment<T> b = right_of_columns(rows + 8 * (kTiles - 1), right_stride);
      add_product(sums + 4 * kTiles - 4, rest, b);
      add_product(sums + 4 * kTiles - 4, a, b);
    }
  }
}

// C[m][n] *= factors[m stride + n].
template <int kTiles>
__device__ inline void scale_sums(float* sums, const float* factors, Index stride) {
#pragma unroll
  for (int half = 0; half < 2 * kTiles; ++half) {
    const Pair<float> factor = load_pair(factors + (fragment_row() + half % 2 * 8) * stride +
                                         fragment_column() + half / 2 * 8);
    sums[2 * half] *= factor.element[0];
    sums[2 * half + 1] *= factor.element[1];
  }
}
// C[m][n] *= factors[n stride + m].
template <int kTiles>
__device__ inline void scale_sums_across(float* sums, const float* factors, Index stride) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    sums[e] *= factors[column * stride + row];
  }
}
// totals[h] is the lane's share of the sum over n of C[m][n] rows[m stride + n], m = g + 8 h.
template <int kTiles, typename T>
__device__ inline void dot_rows(float* totals, const float* sums, const T* rows, Index stride) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const T* const row = rows + (fragment_row() + half * 8) * stride + fragment_column();
    totals[half] = 0.0f;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      const Pair<T> pair = load_pair(row + tile * 8);
      totals[half] += sums[4 * tile + 2 * half] * to_float(pair.element[0]);
      totals[half] += sums[4 * tile + 2 * half + 1] * to_float(pair.element[1]);
    }
  }
}
// C[m][n] *= factors[m].
template <int kTiles>
__device__ inline void scale_rows(float* sums, const float* factors) {
#pragma unroll
  for (int half = 0; half < 2 * kTiles; ++half) {
    const float factor = factors[fragment_row() + half % 2 * 8];
    sums[2 * half] *= factor;
    sums[2 * half + 1] *= factor;
  }
}
// C[m][n] *= factors[n].
template <int kTiles>
__device__ inline void scale_columns(float* sums, const float* factors) {
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    const Pair<float> factor = load_pair(factors + fragment_column() + tile * 8);
#pragma unroll
    for (int e = 0; e < 4; ++e) sums[4 * tile + e] *= factor.element[e % 2];
  }
}
// to[m stride + n] = C[m][n].
template <int kTiles, typename T>
__device__ inline void store_sums(T* to, Index stride, const float* sums) {
#pragma unroll
  for (int half = 0; half < 2 * kTiles; ++half) {
    store_pair(to + (fragment_row() + half % 2 * 8) * stride + fragment_column() + half / 2 * 8,
               sums[2 * half], sums[2 * half + 1]);
  }
}
// C[m][n] = from[m stride + n].
template <int kTiles>
__device__ inline void load_sums(float* sums, const float* from, Index stride) {
#pragma unroll
  for (int half = 0; half < 2 * kTiles; ++half) {
    const Pair<float> pair = load_pair(from + (fragment_row() + half % 2 * 8) * stride +
                                       fragment_column() + half / 2 * 8);
    sums[2 * half] = pair.element[0];
    sums[2 * half + 1] = pair.element[1];
  }
}
// to[n stride + m] = C[m][n], and back.
template <int kTiles, typename T>
__device__ inline void store_sums_across(T* to, Index stride, const float* sums) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    narrow(sums[e], to[column * stride + row]);
  }
}
template <int kTiles>
__device__ inline void load_sums_across(float* sums, const float* from, Index stride) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    sums[e] = from[column * stride + row];
  }
}

}  // namespace heddle
