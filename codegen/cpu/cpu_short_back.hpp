// SPDX-License-Identifier: Apache-2.0
// Backward of rows of few outputs on cpu, by runs of neighbours that read equally many and are read
// by equally many: lambda is gathered, as prefill gathers outputs, and slopes follow while it lies
// in the first cache. Part of cpu_gradients.hpp's text, at its end.
#pragma once

#include "codegen/cpu/cpu_gradients.hpp"

namespace heddle {

// Rows are counted from the last one of a sequence. lambda and outputs stand in rings, `ring` rows
// long, which the rows of a run follow on in, lambda as far back and outputs as far ahead as steps
// reach; what stands in the first kRunRows rows stands behind the last one once more, so that a run
// of rows is side by side from wherever it begins. A run ends with the ring.
constexpr Index kRunRows = 16;
constexpr Index kRunAhead = 24;  // the caller's rows are asked for that many rows before

// `slot` is less than a ring before or behind it.
HEDDLE_INLINE Index ring_place(Index slot, Index ring) {
  return slot < 0 ? slot + ring : slot < ring ? slot : slot - ring;
}
// Rows of the ring where no step is longer than `longest`.
inline Index run_ring(Index longest) { return longest + kRunRows; }
inline Index run_ring_rows(Index longest) { return run_ring(longest) + kRunRows; }
// From the weights of one step to those of the next: of one row, they lie in different sets of a
// cache.
inline Index run_column(Index tokens) {
  constexpr Index kSets = 1024;
  return (tokens + kSets - 1) / kSets * kSets + kRunRows;
}

// How many rows from row `row` on, at most `rows` of them, are read by as many as it is, `later` of
// `most` steps, and read as many as it does, which is the one of number `token`: `size`.
inline Index run_rows(const Index* steps, Index later, Index size, Index most, Index row,
                      Index token, Index rows) {
  Index count = rows < kRunRows ? rows : kRunRows;
  if (later < most && -steps[later] - row < count) count = -steps[later] - row;
  if (size > 0 && token + steps[size - 1] + 1 < count) count = token + steps[size - 1] + 1;
  return count;
}

// The caller's rows from `from` on, each `stride` before the one above, into the ring.
template <int kChannels, typename T>
inline void keep_run(float* values, Index ring, Index slot, const T* from, Index stride,
                     Index rows) {
  constexpr int kWidth = padded(kChannels);
  for (Index r = 0; r < rows; ++r, from -= stride) {
    prefetch_row<kChannels>(from - kRunAhead * stride);
    const Index place = ring_place(slot + r, ring);
    keep_row<kChannels>(values + place * kWidth, from);
    if (place < kRunRows) keep_row<kChannels>(values + (place + ring) * kWidth, from);
  }
}

// columns[e * column + r] = weights[e] of row r of the run.
template <typename W>
inline void keep_run_weights(float* columns, Index column, const W* weights, Index stride,
                             Index size, Index rows) {
  for (Index r = 0; r < rows; ++r, weights -= stride) {
    prefetch_span(weights - kRunAhead * stride, size);
    for (Index e = 0; e < size; ++e) columns[e * column + r] = to_float(weights[e]);
  }
}

// One entry after the other, the nearest row last.
template <int kCount, int kVectors, int kWidth>
HEDDLE_INLINE void add_run_rows(RowLanes<kWidth>* sums, const float* const* places,
                                const float* const* weights, Index r) {
#pragma GCC unroll 8
  for (int e = kCount - 1; e >= 0; --e) {
    const float* const values = places[e] + r * kWidth;
    const float weight = weights[e][r];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) add_product(sums[v], weight, values + v * kRowLanes<kWidth>);
  }
}
// kVectors vectors of channels of lambda of a run: `start`, rows that lie `stride` behind one
// another, and what `later` rows push. Far rows go by eight windows at a time; `columns` are the
// weights of the run's first row.
template <int kVectors, int kWidth>
HEDDLE_INLINE void lambda_run_part(float* lambda, Index ring, Index slot, const float* start,
                                   Index stride, const float* columns, Index column,
                                   const Index* steps, Index later, Index rows) {
  constexpr int kAtOnce = 8;
  const float* places[kRunRows + kAtOnce];
  const float* weights[kRunRows + kAtOnce];
  const auto find = [&](Index begin, Index end) {
    for (Index e = begin; e < end; ++e) {
      places[e - begin] = lambda + ring_place(slot + steps[e], ring) * kWidth;
      weights[e - begin] = columns + e * column + steps[e];
    }
  };
  float* const own = lambda + slot * kWidth;
  Index near = 0;  // may be rows of the run
  while (near < later && -steps[near] < rows) ++near;
  Index left = later;
  for (; left - near >= kAtOnce; left -= kAtOnce) {
    find(left - kAtOnce, left);
    for (Index r = 0; r < rows; ++r) {
      RowLanes<kWidth> sums[kVectors];
      for (int v = 0; v < kVectors; ++v) load(sums[v], start + r * stride + v * kRowLanes<kWidth>);
      add_run_rows<kAtOnce, kVectors, kWidth>(sums, places, weights, r);
      for (int v = 0; v < kVectors; ++v) store(own + r * kWidth + v * kRowLanes<kWidth>, sums[v]);
    }
    start = own, stride = kWidth;
  }
  find(0, left);
  for (Index r = 0; r < rows; ++r) {
    RowLanes<kWidth> sums[kVectors];
    for (int v = 0; v < kVectors; ++v) load(sums[v], start + r * stride + v * kRowLanes<kWidth>);
    Index e = left;
    for (; e >= 4; e -= 4) {
      add_run_rows<4, kVectors, kWidth>(sums, places + e - 4, weights + e - 4, r);
    }
    for (; e > 0; --e) {
      add_run_rows<1, kVectors, kWidth>(sums, places + e - 1, weights + e - 1, r);
    }
    for (int v = 0; v < kVectors; ++v) {
      float* const to = own + r * kWidth + v * kRowLanes<kWidth>;
      store(to, sums[v]);
      if (slot + r < kRunRows) store(to + ring * kWidth, sums[v]);
    }
  }
}
// lambda of a run of rows, which begins as dy.
template <int kChannels, typename T>
inline void lambda_run(float* lambda, Index ring, Index slot, const T* dy, Index stride,
                       const float* columns, Index column, const Index* steps, Index later,
                       Index rows) {
  constexpr int kWidth = padded(kChannels);
  float* const own = lambda + slot * kWidth;
  const auto all = [&](const float* start, Index start_stride) {
    constexpr int kVectors = kWidth / kRowLanes<kWidth>;
    constexpr int kMost = 8;  // vectors at once
    constexpr int kWhole = kVectors / kMost;
    for (int part = 0; part < kWhole; ++part) {
      const int first = part * kMost * kRowLanes<kWidth>;
      lambda_run_part<kMost, kWidth>(lambda + first, ring, slot, start + first, start_stride,
                                     columns, column, steps, later, rows);
    }
    if constexpr (kVectors % kMost != 0) {
      constexpr int kFirst = kWhole * kMost * kRowLanes<kWidth>;
      lambda_run_part<kVectors % kMost, kWidth>(lambda + kFirst, ring, slot, start + kFirst,
                                                start_stride, columns, column, steps, later, rows);
    }
  };
  if constexpr (std::is_same<T, float>::value && kChannels == kWidth) {
    all(dy, -stride);
  } else {
    for (Index r = 0; r < rows; ++r) keep_row<kChannels>(own + r * kWidth, dy - r * stride);
    all(own, kWidth);
  }
}

// The slopes of eight rows of lambda, one for each: <lambda, others>.
template <int kWidth>
HEDDLE_INLINE void slopes_down(float* slopes, const float* lambda, const float* others,
                               Index stride) {
  RowLanes<kWidth> sums[8];
  for (int i = 0; i < 8; ++i) clear(sums[i]);
#pragma GCC unroll 8
  for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      add_products(sums[i], lambda + i * kWidth + d, others + i * stride + d);
    }
  }
  sum_lanes_of_eight(slopes, sums);
}
// ... of a run: slopes lie `slope_stride` before one another.
template <int kWidth, typename T>
inline void slopes_of_step(T* slopes, Index slope_stride, const float* lambda, const float* others,
                           Index stride, Index rows) {
  Index r = 0;
  for (; r + 8 <= rows; r += 8) {
    float sums[8];
    slopes_down<kWidth>(sums, lambda + r * kWidth, others + r * stride, stride);
    for (Index i = 0; i < 8; ++i) store_real(slopes - (r + i) * slope_stride, sums[i]);
  }
  for (; r < rows; ++r) {
    store_real(slopes - r * slope_stride, dot<kWidth>(lambda + r * kWidth, others + r * stride));
  }
}

// weight * row goes to the caller.
template <int kChannels, typename T>
HEDDLE_INLINE void send_product(T* to, const float* row, float weight, bool around) {
  constexpr int kWidth = padded(kChannels);
  if constexpr (std::is_same<T, float>::value && kChannels == kWidth) {
    const bool streams = around && goes_around<kChannels>(to);
    for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
      RowLanes<kWidth> lanes;
      load(lanes, row + d);
      scale(lanes, weight);
      if (streams) {
        store_around(to + d, lanes);
      } else {
        store(to + d, lanes);
      }
    }
  } else {
    float product[kWidth];
    for (int d = 0; d < kWidth; ++d) product[d] = weight * row[d];
    send_row<kChannels>(to, product, around);
  }
}
// The rows' own inputs: dx gets weight * lambda, and slopes are the gradients of the weights. Both
// lie `slope_stride` before one another. `ask(r)` asks, on the way, for what a later run reads and
// writes: more lines in one go would have to wait for one another.
template <int kChannels, typename T, typename S, typename Ask>
inline void own_input_run(T* dx, S* slopes, Index slope_stride, const T* x, Index stride,
                          const S* weights, const float* lambda, Index rows, bool around,
                          const Ask& ask) {
  constexpr int kWidth = padded(kChannels);
  for (Index r = 0; r < rows; ++r) {
    T* const to = dx - r * stride;
    prefetch_row<kChannels>(x - (r + kRunAhead) * stride);
    ask(r);
    ask_for_page_before(to, stride);
    send_product<kChannels>(to, lambda + r * kWidth, to_float(weights[-r * slope_stride]), around);
  }
  if constexpr (std::is_same<T, float>::value && kChannels == kWidth) {
    slopes_of_step<kWidth>(slopes, slope_stride, lambda, x, -stride, rows);
  } else {
    for (Index r = 0; r < rows; ++r) {
      store_real(slopes - r * slope_stride, dot<kChannels>(lambda + r * kWidth, x - r * stride));
    }
  }
}
// ... of given weights, whose gradients have zeros behind them up to `width`. Those of outputs,
// `entries` of them, lie `entry_stride` before one another.
template <int kChannels, typename T>
inline void own_inputs(T* dx, T* slopes, Index slope_stride, Index width, const T* x, Index stride,
                       const T* weights, const float* lambda, Index rows, bool around, const T* dy,
                       const T* output_slopes, Index entry_stride, Index entries) {
  own_input_run<kChannels>(dx, slopes, slope_stride, x, stride, weights, lambda, rows, around,
                           [&](Index r) {
                             const Index later = r + kRunAhead;
                             prefetch_row<kChannels>(dy - later * stride);
                             prefetch_span(output_slopes - later * entry_stride, entries);
                             prefetch(weights - later * slope_stride);
                             prefetch(slopes - later * slope_stride);
                             for (Index e = 1; e < width; ++e)
                               store_real(slopes - r * slope_stride + e, 0.0f);
                           });
}

// kCount slopes of each row of a run at once, `apart` from one another.
template <int kCount, int kWidth, typename T>
HEDDLE_INLINE void slopes_across(T* slopes, Index stride, Index apart, const float* lambda,
                                 const float* const* places, Index rows) {
  constexpr int kMost = 8;
  for (Index r = 0; r < rows; ++r) {
    RowLanes<kWidth> parts[kMost];
    for (int i = 0; i < kMost; ++i) clear(parts[i]);
#pragma GCC unroll 8
    for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
#pragma GCC unroll 8
      for (int i = 0; i < kCount; ++i) {
        add_products(parts[i], lambda + r * kWidth + d, places[i] + r * kWidth + d);
      }
    }
    float sums[kMost];
    sum_lanes_of_eight(sums, parts);
    for (int i = 0; i < kCount; ++i) store_real(slopes - r * stride + i * apart, sums[i]);
  }
}
// slopes[e * apart] = <lambda, output steps[e]> of a run. Eight entries of a row at once; of the
// last ones, where they are few, those of eight rows.
template <int kWidth, typename T>
HEDDLE_INLINE void slopes_of_steps(T* slopes, Index stride, Index apart, const float* lambda,
                                   const float* values, Index ring, Index slot, const Index* steps,
                                   Index size, Index rows) {
  constexpr Index kAtOnce = 8;
  const auto place = [&](Index e) { return values + ring_place(slot - steps[e], ring) * kWidth; };
  Index e = 0;
  while (size - e > kAtOnce / 2) {
    const Index some = size - e < kAtOnce ? size - e : kAtOnce;
    const float* places[kAtOnce];
    for (Index i = 0; i < some; ++i) places[i] = place(e + i);
    T* const to = slopes + e * apart;
    if (some == 8) slopes_across<8, kWidth>(to, stride, apart, lambda, places, rows);
    if (some == 7) slopes_across<7, kWidth>(to, stride, apart, lambda, places, rows);
    if (some == 6) slopes_across<6, kWidth>(to, stride, apart, lambda, places, rows);
    if (some == 5) slopes_across<5, kWidth>(to, stride, apart, lambda, places, rows);
    e += some;
  }
  for (; e < size; ++e) {
    slopes_of_step<kWidth>(slopes + e * apart, stride, lambda, place(e), kWidth, rows);
  }
}
// ... with zeros behind the last one, up to `width`.
template <int kWidth, typename T>
inline void slope_run(T* slopes, Index stride, Index width, const float* lambda,
                      const float* values, Index ring, Index slot, const Index* steps, Index size,
                      Index rows) {
  slopes_of_steps<kWidth>(slopes, stride, 1, lambda, values, ring, slot, steps, size, rows);
  for (Index r = 0; size < width && r < rows; ++r) {
    for (Index rest = size; rest < width; ++rest) store_real(slopes - r * stride + rest, 0.0f);
  }
}

// ---- softmax weights ----------------------------------------------------------------------------

// Of a run, weights and their gradients stand entry by entry, kRunRows rows each: the rows' own
// inputs first, then the outputs of each step. What is of no row is a number, but of no meaning.
inline Index run_floats(Index entries) { return entries * kRunRows; }
inline void clear_run(float* values, Index entries) {
  for (Index at = 0; at < run_floats(entries); ++at) values[at] = 0.0f;
}

// factor * exp(scale_of_scores * score - highest) over the sum of these, of each row.
inline void softmax_run(float* scores, Index entries, float scale_of_scores, float factor_own,
                        float factor_rest) {
  using Rows = Floats<kMostLanes>;
  for (Index first = 0; first < kRunRows; first += kMostLanes) {
    float* const own = scores + first;
    Rows highest, total, lanes;
    load(highest, own);
    scale(highest, scale_of_scores);
    for (Index e = 1; e < entries; ++e) {
      load(lanes, own + e * kRunRows);
      scale(lanes, scale_of_scores);
      raise_to(highest, lanes);
    }
    scale(highest, -1.0f);
    clear(total);
    for (Index e = 0; e < entries; ++e) {
      load(lanes, own + e * kRunRows);
      scale(lanes, scale_of_scores);
      add(lanes, highest);
      exponentials(lanes);
      scale(lanes, e == 0 ? factor_own : factor_rest);
      store(own + e * kRunRows, lanes);
      add(total, lanes);
    }
    float sum[kMostLanes];
    store(sum, total);
    for (int r = 0; r < kMostLanes; ++r) sum[r] = sum[r] > 0.0f ? 1.0f / sum[r] : 0.0f;
    load(total, sum);
    for (Index e = 0; e < entries; ++e) {
      load(lanes, own + e * kRunRows);
      scale(lanes, total);
      store(own + e * kRunRows, lanes);
    }
  }
}
// From g_e = <lambda, value_e> to the gradients of the scores, scale p_e (g_e - sum p_e' g_e').
inline void slope_scores_run(float* slopes, const float* weights, Index entries,
                             float scale_of_scores) {
  using Rows = Floats<kMostLanes>;
  for (Index first = 0; first < kRunRows; first += kMostLanes) {
    float* const own = slopes + first;
    Rows mean, lanes, factor;
    clear(mean);
    for (Index e = 0; e < entries; ++e) {
      add_products(mean, own + e * kRunRows, weights + first + e * kRunRows);
    }
    scale(mean, -1.0f);
    for (Index e = 0; e < entries; ++e) {
      load(lanes, own + e * kRunRows);
      add(lanes, mean);
      load(factor, weights + first + e * kRunRows);
      scale(factor, scale_of_scores);
      scale(lanes, factor);
      store(own + e * kRunRows, lanes);
    }
  }
}
// columns[e * column + r] = values of entry e + 1 of row r, for `size` steps.
inline void keep_run_columns(float* columns, Index column, const float* values, Index size,
                             Index rows) {
  for (Index e = 0; e < size; ++e) {
    const float* const from = values + (e + 1) * kRunRows;
    for (Index r = 0; r < rows; ++r) columns[e * column + r] = from[r];
  }
}

// The weights of a run, computed again, and columns of those of outputs. Its queries stand at
// `slot` of their ring, its keys and those that it reads from `slot` of theirs on.
template <int kWidth>
inline void weigh_run(float* weights, float* columns, Index column, const float* queries,
                      const float* keys, Index ring, Index slot, const Index* steps, Index size,
                      Index rows, float scale_of_scores, float factor_own, float factor_rest) {
  const float* const own = queries + slot * kWidth;
  slopes_of_step<kWidth>(weights, -1, own, keys + slot * kWidth, kWidth, rows);
  slopes_of_steps<kWidth>(weights + kRunRows, -1, kRunRows, own, keys, ring, slot, steps, size,
                          rows);
  softmax_run(weights, size + 1, scale_of_scores, factor_own, factor_rest);
  keep_run_columns(columns, column, weights, size, rows);
}

// dx of a run, the gradients of its scores, and columns of those of outputs.
template <int kChannels, typename T>
inline void slope_weighed_run(T* dx, const T* x, const T* dy, Index stride, float* slopes,
                              const float* weights, float* columns, Index column,
                              const float* lambda, const float* values, Index ring, Index slot,
                              const Index* steps, Index size, Index rows, float scale_of_scores,
                              bool around) {
  constexpr int kWidth = padded(kChannels);
  const float* const own = lambda + slot * kWidth;
  own_input_run<kChannels>(dx, slopes, -1, x, stride, weights, own, rows, around, [&](Index r) {
    prefetch_row<kChannels>(dy - (r + kRunAhead) * stride);
  });
  slopes_of_steps<kWidth>(slopes + kRunRows, -1, kRunRows, own, values, ring, slot, steps, size,
                          rows);
  slope_scores_run(slopes, weights, size + 1, scale_of_scores);
  keep_run_columns(columns, column, slopes, size, rows);
}

// sums[r] = weights[r] * own[r] + the sum over e of weights_of(e)[r] * rows_of(e)[r], for kVectors
// vectors of channels, the farthest eight entries first.
template <int kVectors, int kWidth, typename RowsOf, typename WeightsOf>
HEDDLE_INLINE void mix_run_part(float* sums, const float* own, const float* weights, Index size,
                                Index rows, int first, const RowsOf& rows_of,
                                const WeightsOf& weights_of) {
  constexpr int kAtOnce = 8;
  for (Index left = size, begun = 0; begun == 0 || left > 0; begun = 1) {
    const Index some = left < kAtOnce ? left : kAtOnce;
    const float* places[kAtOnce];
    const float* factors[kAtOnce];
    for (Index i = 0; i < some; ++i) {
      places[i] = rows_of(left - some + i) + first;
      factors[i] = weights_of(left - some + i);
    }
    for (Index r = 0; r < rows; ++r) {
      float* const to = sums + r * kWidth + first;
      RowLanes<kWidth> lanes[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        const int d = v * kRowLanes<kWidth>;
        load(lanes[v], begun == 0 ? own + r * kWidth + first + d : to + d);
        if (begun == 0) scale(lanes[v], weights[r]);
      }
      if (some == kAtOnce) {
        add_run_rows<kAtOnce, kVectors, kWidth>(lanes, places, factors, r);
      } else {
        Index e = some;
        for (; e >= 4; e -= 4) {
          add_run_rows<4, kVectors, kWidth>(lanes, places + e - 4, factors + e - 4, r);
        }
        for (; e > 0; --e) {
          add_run_rows<1, kVectors, kWidth>(lanes, places + e - 1, factors + e - 1, r);
        }
      }
      for (int v = 0; v < kVectors; ++v) store(to + v * kRowLanes<kWidth>, lanes[v]);
    }
    left -= some;
  }
}
// ... of all channels, on to the caller, whose rows lie `stride` before one another.
template <int kChannels, typename T, typename RowsOf, typename WeightsOf>
inline void send_mixed_run(T* to, Index stride, const float* own, const float* weights, Index size,
                           Index rows, bool around, const RowsOf& rows_of,
                           const WeightsOf& weights_of) {
  constexpr int kWidth = padded(kChannels);
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kMost = 8;  // vectors at once
  constexpr int kWhole = kVectors / kMost;
  float sums[kRunRows * kWidth];
  for (int part = 0; part < kWhole; ++part) {
    mix_run_part<kMost, kWidth>(sums, own, weights, size, rows, part * kMost * kRowLanes<kWidth>,
                                rows_of, weights_of);
  }
  if constexpr (kVectors % kMost != 0) {
    mix_run_part<kVectors % kMost, kWidth>(sums, own, weights, size, rows,
                                           kWhole * kMost * kRowLanes<kWidth>, rows_of, weights_of);
  }
  for (Index r = 0; r < rows; ++r) {
    ask_for_page_before(to - r * stride, stride);
    send_row<kChannels>(to - r * stride, sums + r * kWidth, around);
  }
}
// The gradients of a run's queries, from its keys and those that it reads,
template <int kChannels, typename T>
inline void query_run(T* dq, Index stride, const float* slopes, const float* keys, Index ring,
                      Index slot, const Index* steps, Index size, Index rows, bool around) {
  constexpr int kWidth = padded(kChannels);
  send_mixed_run<kChannels>(
      dq, stride, keys + slot * kWidth, slopes, size, rows, around,
      [&](Index e) { return keys + ring_place(slot - steps[e], ring) * kWidth; },
      [&](Index e) { return slopes + (e + 1) * kRunRows; });
}
// and of its keys, from its queries and those of `later` rows; `columns` are the run's.
template <int kChannels, typename T>
inline void key_run(T* dk, Index stride, const float* slopes, const float* queries, Index ring,
                    Index slot, const float* columns, Index column, const Index* steps, Index later,
                    Index rows, bool around) {
  constexpr int kWidth = padded(kChannels);
  send_mixed_run<kChannels>(
      dk, stride, queries + slot * kWidth, slopes, later, rows, around,
      [&](Index e) { return queries + ring_place(slot + steps[e], ring) * kWidth; },
      [&](Index e) { return columns + e * column + steps[e]; });
}

}  // namespace heddle
