// SPDX-License-Identifier: Apache-2.0
// What generated CPU backward kernels call besides cpu_prelude.hpp: from a row to the rows that it
// reads. lambda is the gradient of the row's output, complete.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

// sum of x[d] * y[d] over d < kLength, in eight partial sums.
template <int kLength, typename X, typename Y>
inline float dot(const X* first, const Y* second) {
  const auto x = readable<kLength>(first);
  const auto y = readable<kLength>(second);
  constexpr int kParts = 8;
  constexpr int kWhole = kLength / kParts * kParts;
  float partial[kParts] = {};
  for (int d = 0; d < kWhole; d += kParts) {
    for (int lane = 0; lane < kParts; ++lane) {
      partial[lane] += to_float(x[d + lane]) * to_float(y[d + lane]);
    }
  }
  for (int d = kWhole; d < kLength; ++d) partial[d - kWhole] += to_float(x[d]) * to_float(y[d]);
  float half[kParts / 2];
  for (int lane = 0; lane < kParts / 2; ++lane) half[lane] = partial[lane] + partial[lane + 4];
  return (half[0] + half[2]) + (half[1] + half[3]);
}

// ---- rows ---------------------------------------------------------------------------------------

// A row of lambda and the rows that it reads, which `steps` count from the beginning of a memory:
// rows are floats, kWidth of them, side by side.

// sums row steps[e] += weights[e] * row, for kVectors vectors of channels.
template <int kVectors, int kWidth, typename W>
HEDDLE_INLINE void push_channels(float* sums, const float* row, const W* weights,
                                 const Index* steps, Index count) {
  RowLanes<kWidth> values[kVectors];
  for (int v = 0; v < kVectors; ++v) load(values[v], row + v * kRowLanes<kWidth>);
  for (Index e = 0; e < count; ++e) {
    float* const to = sums + steps[e] * kWidth;
    const float weight = to_float(weights[e]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      RowLanes<kWidth> sum;
      load(sum, to + v * kRowLanes<kWidth>);
      add_product(sum, weight, values[v]);
      store(to + v * kRowLanes<kWidth>, sum);
    }
  }
}
// The row may be one of those that `sums` holds, but not one that it reads.
template <int kWidth, typename W>
inline void push_rows(float* sums, const float* row, const W* weights, const Index* steps,
                      Index count) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kWhole = kVectors / 8;
  constexpr int kPart = 8 * kRowLanes<kWidth>;
  for (int part = 0; part < kWhole; ++part) {
    push_channels<8, kWidth>(sums + part * kPart, row + part * kPart, weights, steps, count);
  }
  if constexpr (kVectors % 8 != 0) {
    push_channels<kVectors % 8, kWidth>(sums + kWhole * kPart, row + kWhole * kPart, weights, steps,
                                        count);
  }
}

// slopes[e] = <lambda, values row steps[e]>, and zero behind the last one, up to `width`.
template <int kWidth, typename T>
inline void slope_rows(T* slopes, const float* lambda, const float* values, const Index* steps,
                       Index count, Index width) {
  Index e = 0;
  for (; e < count; e += kLanes) {
    const Index some = count - e < kLanes ? count - e : kLanes;
    float sums[kLanes];
    score_rows<kWidth>(sums, lambda, values, steps + e, some);
    for (Index i = 0; i < some; ++i) store_real(slopes + e + i, sums[i]);
  }
  for (e = count; e < width; ++e) store_real(slopes + e, 0.0f);
}

// Asks, once a page, for the translation of where earlier rows are stored, as stores wait for one
// another. Nothing is read: the page may lie before the buffer.
template <typename T>
HEDDLE_INLINE void ask_for_page_before(const T* row, Index stride) {
  constexpr std::uintptr_t kPage = 4096;
  const std::uintptr_t left = kPage - reinterpret_cast<std::uintptr_t>(row) % kPage;
  if (left <= static_cast<std::uintptr_t>(stride) * sizeof(T)) prefetch(row - kPage / sizeof(T));
}
// Asks for `rows` rows of weights of which each is `width` long and lies `stride` behind the one
// before it.
template <typename W>
inline void ask_for_weights(const W* weights, Index stride, Index rows, Index width) {
  for (Index r = 0; r < rows; ++r) prefetch_span(weights + r * stride, width);
}

// A row's own input, the only one that it reads: dx gets weight * lambda, and the gradient of the
// weight is returned.
template <int kChannels, typename T>
inline float own_input(T* dx, const float* lambda, const T* x, float weight, bool around) {
  float row[padded(kChannels)];
  for (int d = 0; d < padded(kChannels); ++d) row[d] = weight * lambda[d];
  send_row<kChannels>(dx, row, around);
  return dot<kChannels>(lambda, x);
}

// Of a row of softmax weights, not yet divided by their sum, and g_e = <lambda, value_e>: the
// weights themselves, and the gradients of the scores, scale p_e (g_e - sum p_e' g_e'). The sum is
// carried on in eight parts, whatever the count.
inline void slope_scores(float* weights, float* slopes, Index count, float inverse, float scale) {
  float parts[kLanes] = {};
  const Index whole = count / kLanes * kLanes;
  for (Index e = 0; e < whole; e += kLanes) {
#pragma GCC ivdep
    for (int lane = 0; lane < kLanes; ++lane) {
      weights[e + lane] *= inverse;
      parts[lane] += weights[e + lane] * slopes[e + lane];
    }
  }
  for (Index e = whole; e < count; ++e) {
    weights[e] *= inverse;
    parts[e - whole] += weights[e] * slopes[e];
  }
  const float mean = ((parts[0] + parts[4]) + (parts[2] + parts[6])) +
                     ((parts[1] + parts[5]) + (parts[3] + parts[7]));
#pragma GCC ivdep
  for (Index e = 0; e < count; ++e) slopes[e] = scale * weights[e] * (slopes[e] - mean);
}

// ---- rows by windows ----------------------------------------------------------------------------

// Where row i reads i + steps[e], with steps negative and descending, what a tile of rows gets from
// rows behind it is gathered: a forward pass with transposed weights, of which each step has a
// column, one weight a row. A caller's rows of weights, read along a step, would be a line of the
// cache for each weight.

// columns[e * column + r] = weights[r * stride + e] for `count` rows r and the steps begin .. end -
// 1 that they have; the first row has `before` rows before it.
template <typename W>
inline void keep_columns(float* columns, Index column, const W* weights, Index stride, Index count,
                         const Index* steps, Index begin, Index end, Index before) {
  for (Index e = begin; e < end && steps[e] + before + count > 0; ++e) {
    Index r = -steps[e] - before;
    for (r = r > 0 ? r : 0; r < count; ++r) {
      columns[e * column + r] = to_float(weights[r * stride + e]);
    }
  }
}

// sums[r] += the sum over e of columns[e * column + r - steps[e]] * rows[r - steps[e]], for `count`
// rows r and those steps begin .. end - 1 that stay inside the sequence, of which the first row and
// those behind it are `left`. No step is shorter than `count`. `rows` may be `sums`.
template <int kWidth>
inline void gather_windows(float* sums, const float* rows, Index count, const float* columns,
                           Index column, const Index* steps, Index begin, Index end, Index left,
                           float* packed) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kWhole = kVectors / 8;
  constexpr int kPart = 8 * kRowLanes<kWidth>;
  const Index packed_rows = packed_column(count);
  Index whole = begin;  // the steps that every row of the tile has
  while (whole < end && count - steps[whole] <= left) ++whole;
  constexpr Index kAtOnce = 64;
  Index ahead[kAtOnce];
  for (Index at = begin; at < whole; at += kAtOnce) {
    const Index some = whole - at < kAtOnce ? whole - at : kAtOnce;
    for (Index e = 0; e < some; ++e) {
      ahead[e] = -steps[at + e];
      const float* const from = columns + (at + e) * column + ahead[e];
      float* const to = packed + e / kWindows * packed_rows + e % kWindows;
      for (Index r = 0; r < count; ++r) to[r * kWindows] = from[r];
    }
    for (int part = 0; part < kWhole; ++part) {
      mix_window_channels<8, kWidth>(sums + part * kPart, count, packed, rows + part * kPart, ahead,
                                     some);
    }
    if constexpr (kVectors % 8 != 0) {
      mix_window_channels<kVectors % 8, kWidth>(sums + kWhole * kPart, count, packed,
                                                rows + kWhole * kPart, ahead, some);
    }
  }
  for (Index e = whole; e < end && left + steps[e] > 0; ++e) {
    for (Index r = 0; r < left + steps[e]; ++r) {
      const float* const from = rows + (r - steps[e]) * kWidth;
      const float weight = columns[e * column + r - steps[e]];
      for (int d = 0; d < kWidth; ++d) sums[r * kWidth + d] += weight * from[d];
    }
  }
}

}  // namespace heddle

#include "codegen/cpu/cpu_matrix_back.hpp"
#include "codegen/cpu/cpu_key_gates_back.hpp"
#include "codegen/cpu/cpu_rewind.hpp"
#include "codegen/cpu/cpu_short_back.hpp"
