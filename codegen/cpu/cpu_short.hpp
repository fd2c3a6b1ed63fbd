// SPDX-License-Identifier: Apache-2.0
// Rows of few outputs on cpu, each in one go: its sums stay in registers from its own input to
// where it goes. Part of the prelude's text, at its end.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

// Outputs stand in a ring of mask + 1 rows, a power of two and no less than the longest step: what
// row i overwrites was read by row i last, so that it is in the first cache still.
template <int kCount, int kVectors, int kWidth, typename W>
HEDDLE_INLINE void add_ring_rows(RowLanes<kWidth>* sums, const W* weights, const float* ring,
                                 Index row, Index mask, const Index* steps) {
#pragma GCC unroll 8
  for (int e = kCount - 1; e >= 0; --e) {
    const float* values = ring + ((row + steps[e]) & mask) * kWidth;
    const float weight = to_float(weights[e]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) add_product(sums[v], weight, values + v * kRowLanes<kWidth>);
  }
}
// The sums hold the row's own input, the nearest output is added last: it was finished only just
// now. One sum a lane is enough, as rows overlap but for that last step.
template <int kVectors, int kWidth, typename W>
HEDDLE_INLINE void mix_ring_rows(RowLanes<kWidth>* sums, const W* weights, const float* ring,
                                 Index row, Index mask, const Index* steps, Index count) {
  Index e = count;
  for (; e >= 4; e -= 4) {
    add_ring_rows<4, kVectors, kWidth>(sums, weights + e - 4, ring, row, mask, steps + e - 4);
  }
  for (; e > 0; --e) {
    add_ring_rows<1, kVectors, kWidth>(sums, weights + e - 1, ring, row, mask, steps + e - 1);
  }
}

// kVectors vectors of channels of a row of floats from `first` on, the caller's and the ring's
// alike.
template <int kVectors, int kWidth, bool kStreams, typename W>
HEDDLE_INLINE void short_row_part(float* y, float* ring, Index row, Index mask, const float* x,
                                  float own, const W* weights, const Index* steps, Index count,
                                  int first) {
  RowLanes<kWidth> sums[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    load(sums[v], x + first + v * kRowLanes<kWidth>);
    scale(sums[v], own);
  }
  mix_ring_rows<kVectors, kWidth>(sums, weights, ring + first, row, mask, steps, count);
  float* const kept = ring + (row & mask) * kWidth + first;
  for (int v = 0; v < kVectors; ++v) {
    float* const to = y + first + v * kRowLanes<kWidth>;
    if (kStreams) {
      store_around(to, sums[v]);
    } else {
      store(to, sums[v]);
    }
    store(kept + v * kRowLanes<kWidth>, sums[v]);
  }
}
template <int kWidth, bool kStreams, typename W>
HEDDLE_INLINE void short_row(float* y, float* ring, Index row, Index mask, const float* x,
                             float own, const W* weights, const Index* steps, Index count) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kMost = 8;  // vectors at once
  constexpr int kWhole = kVectors / kMost;
  for (int part = 0; part < kWhole; ++part) {
    short_row_part<kMost, kWidth, kStreams>(y, ring, row, mask, x, own, weights, steps, count,
                                            part * kMost * kRowLanes<kWidth>);
  }
  if constexpr (kVectors % kMost != 0) {
    short_row_part<kVectors % kMost, kWidth, kStreams>(y, ring, row, mask, x, own, weights, steps,
                                                       count, kWhole * kMost * kRowLanes<kWidth>);
  }
}

// How many rows from row i on, at most `rows`, read as many outputs as row i does, which reads
// `size` of the `most` steps that there are.
inline Index alike_rows(const Index* steps, Index size, Index most, Index i, Index rows) {
  if (size == most) return rows;
  const Index until = 1 - steps[size] - i;
  return until < rows ? until : rows;
}

// `rows` rows that read `count` outputs each, from row `row` on, counted from 0: own * x and the
// sum over e of weights[e] * row(row + steps[e]), to y and into the ring. A row lies `stride`
// behind the one before it, its weights own_stride and weights_stride.
template <int kChannels, typename T, typename W>
inline void short_rows(T* y, const T* x, Index stride, float* ring, Index row, Index mask,
                       const W* own, Index own_stride, const W* weights, Index weights_stride,
                       const Index* steps, Index count, Index rows, bool around) {
  constexpr int kWidth = padded(kChannels);
  constexpr bool kPlain = std::is_same<T, float>::value && kChannels == kWidth;
  const auto all = [&](auto streams) {
    for (Index r = 0; r < rows; ++r) {
      ask_for_callers_rows<kChannels>(y, x, stride);
      prefetch_span(weights + kCallersAhead * weights_stride, count);
      if constexpr (kPlain) {
        short_row<kWidth, decltype(streams)::value>(y, ring, row, mask, x, to_float(*own), weights,
                                                    steps, count);
      } else {
        float input[kWidth], mixed[kWidth];
        keep_row<kChannels>(input, x);
        short_row<kWidth, false>(mixed, ring, row, mask, input, to_float(*own), weights, steps,
                                 count);
        close_row<kChannels>(y, ring + (row & mask) * kWidth, mixed, 1.0f, around);
      }
      ++row, x += stride, y += stride, own += own_stride, weights += weights_stride;
    }
  };
  if constexpr (kPlain) {
    // One row speaks for all where the stride is a multiple of a line.
    if (around && goes_around<kChannels>(y) && stride * sizeof(T) % 64 == 0) {
      return all(std::true_type());
    }
  }
  all(std::false_type());
}

}  // namespace heddle
