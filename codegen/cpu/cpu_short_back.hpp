// SPDX-License-Identifier: Apache-2.0
// Backward of rows of few outputs on cpu, by runs of neighbours that read equally many and are read
// by equally many: lambda is gathered, as prefill gathers outputs, and slopes follow while it lies
// in the first cache. Part of cpu_gradients.hpp's text, at its end.
#pragma once

#include "codegen/cpu/cpu_gradients.hpp"

namespace heddle {

// Rows are counted from the last one of a sequence. lambda and outputs, with softmax queries and
// keys, stand in rings, which the rows of a run follow on in, lambda and queries as far back and
// outputs and keys as far ahead as steps reach.
constexpr Index kRunAhead = 24;  // the caller's rows are asked for that many rows before

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
    repeat_row<kWidth>(values, ring, place);
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

// lambda of a run of rows, which begins as dy, and what `later` rows push to it; `columns` are the
// weights of the run's first row.
template <int kChannels, typename T>
inline void lambda_run(float* lambda, Index ring, Index slot, const T* dy, Index stride,
                       const float* columns, Index column, const Index* steps, Index later,
                       Index rows) {
  constexpr int kWidth = padded(kChannels);
  float* const own = lambda + slot * kWidth;
  const auto all = [&](const float* start, Index start_stride) {
    gather_run<kWidth>(
        own, start, start_stride, steps_within_run(steps, later, rows), later, rows,
        [&](Index e) { return lambda + ring_place(slot + steps[e], ring) * kWidth; },
        [&](Index e) { return columns + e * column + steps[e]; },
        [&](Index r, float* row, int count) { repeat_lanes<kWidth>(row, ring, slot + r, count); });
  };
  if constexpr (std::is_same<T, float>::value && kChannels == kWidth) {
    all(dy, -stride);
  } else {
    for (Index r = 0; r < rows; ++r) keep_row<kChannels>(own + r * kWidth, dy - r * stride);
    all(own, kWidth);
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
    scores_of_step<kWidth>(slopes, -slope_stride, lambda, x, -stride, rows);
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

// The rows that those at `slot` read by step e, in a ring of what lies ahead.
template <int kWidth>
struct RingAhead {
  const float* rows;
  Index ring, slot;
  const Index* steps;
  HEDDLE_INLINE const float* operator()(Index e) const {
    return rows + ring_place(slot - steps[e], ring) * kWidth;
  }
};
// slopes[e] = <lambda, output steps[e]> of a run, and zeros behind the last one, up to `width`.
template <int kWidth, typename T>
inline void slope_run(T* slopes, Index stride, Index width, const float* lambda,
                      const float* values, Index ring, Index slot, const Index* steps, Index size,
                      Index rows) {
  scores_of_run<kWidth>(slopes, -stride, 1, lambda, size, rows,
                        RingAhead<kWidth>{values, ring, slot, steps});
  for (Index r = 0; size < width && r < rows; ++r) {
    for (Index rest = size; rest < width; ++rest) store_real(slopes - r * stride + rest, 0.0f);
  }
}

// ---- softmax weights ----------------------------------------------------------------------------

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
inline void weigh_run_again(float* weights, float* columns, Index column, const float* queries,
                            const float* keys, Index ring, Index slot, const Index* steps,
                            Index size, Index rows, float scale_of_scores, float factor_own,
                            float factor_rest) {
  weigh_run<kWidth>(weights, queries + slot * kWidth, keys + slot * kWidth, size, rows,
                    scale_of_scores, factor_own, factor_rest,
                    RingAhead<kWidth>{keys, ring, slot, steps});
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
  scores_of_run<kWidth>(slopes + kRunRows, 1, kRunRows, own, size, rows,
                        RingAhead<kWidth>{values, ring, slot, steps});
  slope_scores_run(slopes, weights, size + 1, scale_of_scores);
  keep_run_columns(columns, column, slopes, size, rows);
}

// weights[r] * own[r] + the sum over e of weights_of(e)[r] * rows_of(e)[r] goes to the caller,
// whose rows lie `stride` before one another.
template <int kChannels, typename T, typename RowsOf, typename WeightsOf>
HEDDLE_INLINE void send_mixed_run(T* to, Index stride, const float* own, const float* weights,
                                  Index size, Index rows, bool around, const RowsOf& rows_of,
                                  const WeightsOf& weights_of) {
  constexpr int kWidth = padded(kChannels);
  float sums[kRunRows * kWidth];
  for (Index r = 0; r < rows; ++r) {
    scale_row<kWidth>(sums + r * kWidth, own + r * kWidth, weights[r]);
  }
  gather_run<kWidth>(sums, sums, kWidth, 0, size, rows, rows_of, weights_of,
                     [](Index, float*, int) {});
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
  send_mixed_run<kChannels>(dq, stride, keys + slot * kWidth, slopes, size, rows, around,
                            RingAhead<kWidth>{keys, ring, slot, steps},
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
