// SPDX-License-Identifier: Apache-2.0
// Softmax over rows of scores that whole warps hold as sums of products (see tensor_prelude.cuh), a
// few tiles of columns at a time. All 32 lanes arrive.
//
// A lane has parts of two rows, g = lane / 4 and g + 8, which it shares with the three lanes beside
// it: `highest` are the highest scores that these rows have had so far, the same in all four lanes,
// and `totals` the lane's own share of the sums of their weights.
#pragma once

#include "codegen/cuda/tensor_prelude.cuh"

namespace heddle {

// Over the four lanes that share a row; each gets the same result.
__device__ inline float maximum_of_row(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ inline float sum_of_row(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// exp(score - highest). A device takes powers of two: the product with the logarithm is rounded
// once, with the difference, so that a score counts to some |score| 2^-24 as it does anyway.
__device__ inline float weight_of(float score, float highest) {
#ifdef HEDDLE_EMULATED
  return __expf(score - highest);
#else
  constexpr float kLogarithm = 1.4426950408889634f;
  float power;
  const float exponent = fmaf(score, kLogarithm, -(highest * kLogarithm));
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
#endif
}

// C[m][n] is no score where n > m + last.
template <int kTiles>
__device__ inline void mask_scores(float* scores, Index last) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    if (column > row + last) scores[e] = kLowestScore;
  }
}
// C[m][n] is no score where n < m + first.
template <int kTiles>
__device__ inline void mask_scores_before(float* scores, Index first) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    if (column < row + first) scores[e] = kLowestScore;
  }
}
// C[m][n] is no score where positions[n] < m + first.
template <int kTiles>
__device__ inline void mask_scores_by_position(float* scores, const Index* positions, Index first) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    if (positions[column] < row + first) scores[e] = kLowestScore;
  }
}
// C[m][n] is no score where n >= count.
template <int kTiles>
__device__ inline void drop_scores(float* scores, Index count) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    if (fragment_column() + e % 2 + e / 4 * 8 >= count) scores[e] = kLowestScore;
  }
}
// The highest scores after these. Where that of a row rises, what was summed with the lower one
// shrinks; each row has had a score by now.
template <int kTiles, int kOutputTiles>
__device__ inline void raise_highest(const float* scores, float* highest, float* totals,
                                     float* outputs) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float risen = highest[half];
#pragma unroll
    for (int e = 0; e < 2 * kTiles; ++e) {
      risen = fmaxf(risen, scores[e / 2 * 4 + 2 * half + e % 2]);
    }
    risen = maximum_of_row(risen);
    const float shrink = weight_of(highest[half], risen);
    highest[half] = risen;
    totals[half] *= shrink;
#pragma unroll
    for (int e = 0; e < 2 * kOutputTiles; ++e) outputs[e / 2 * 4 + 2 * half + e % 2] *= shrink;
  }
}
// Scores become weights, exp(score - highest), which join the totals.
template <int kTiles>
__device__ inline void weigh_scores(float* scores, const float* highest, float* totals) {
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    scores[e] = weight_of(scores[e], highest[e / 2 % 2]);
    totals[e / 2 % 2] += scores[e];
  }
}
// The same where the score in column m + own of row m is the row's own input's: it weighs 1 - gamma
// as much, and outputs gamma.
template <int kTiles>
__device__ inline void weigh_mixed(float* scores, const float* highest, float* totals, Index own,
                                   float gamma) {
  const float rest = 1.0f - gamma;
#pragma unroll
  for (int e = 0; e < 4 * kTiles; ++e) {
    const int row = fragment_row() + e / 2 % 2 * 8, column = fragment_column() + e % 2 + e / 4 * 8;
    const float factor = column == row + own ? rest : gamma;
    scores[e] = factor * weight_of(scores[e], highest[e / 2 % 2]);
    totals[e / 2 % 2] += scores[e];
  }
}
// C[m][n] is a score of row n, and becomes its weight, exp(score - highest[n]) inverse[n].
template <int kTiles>
__device__ inline void weigh_by_column(float* scores, const float* highest, const float* inverse) {
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    const Pair<float> above = load_pair(highest + fragment_column() + tile * 8);
    const Pair<float> factor = load_pair(inverse + fragment_column() + tile * 8);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      float& score = scores[4 * tile + e];
      score = weight_of(score, above.element[e % 2]) * factor.element[e % 2];
    }
  }
}
// C[m][n] = weights[m][n] (C[m][n] - means[n]), where both are sums.
template <int kTiles>
__device__ inline void slopes_by_column(float* changes, const float* weights, const float* means) {
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    const Pair<float> mean = load_pair(means + fragment_column() + tile * 8);
#pragma unroll
    for (int e = 4 * tile; e < 4 * tile + 4; ++e) {
      changes[e] = weights[e] * (changes[e] - mean.element[e % 2]);
    }
  }
}
// totals[h] is the lane's share of the sum over n of left[m][n] right[m][n], m = g + 8 h.
template <int kTiles, typename T>
__device__ inline void overlap_rows(float* totals, const T* left, Index left_stride, const T* right,
                                    Index right_stride) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = fragment_row() + half * 8;
    totals[half] = 0.0f;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      const int column = fragment_column() + tile * 8;
      const Pair<T> one = load_pair(left + row * left_stride + column);
      const Pair<T> other = load_pair(right + row * right_stride + column);
      totals[half] += to_float(one.element[0]) * to_float(other.element[0]);
      totals[half] += to_float(one.element[1]) * to_float(other.element[1]);
    }
  }
}
// The lanes' shares become the sum of all four, in each of them.
template <int kRows>
__device__ inline void sum_rows(float* totals) {
#pragma unroll
  for (int row = 0; row < kRows; ++row) totals[row] = sum_of_row(totals[row]);
}
// C[m][n] over the total of row m; 0 where there is none.
template <int kTiles>
__device__ inline void divide_rows(float* sums, const float* totals) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float total = sum_of_row(totals[half]);
    const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
#pragma unroll
    for (int e = 0; e < 2 * kTiles; ++e) sums[e / 2 * 4 + 2 * half + e % 2] *= inverse;
  }
}

}  // namespace heddle
