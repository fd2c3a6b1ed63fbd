// SPDX-License-Identifier: Apache-2.0
// Rows of few outputs on cpu. With given weights each in one go: its sums stay in registers from
// its own input to where it goes. With softmax weights by runs of neighbours that read equally
// many, whose scores need none of their outputs. Part of the prelude's text, at its end.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

// Outputs stand in a ring of mask + 1 rows, a power of two and no less than the longest step: what
// row i overwrites was read by row i last, so that it is in the first cache still.
template <int kRows, int kVectors, int kWidth, typename W>
HEDDLE_INLINE void add_ring_rows(RowLanes<kWidth> (*sums)[kVectors], const W* weights,
                                 Index weights_stride, const float* ring, Index row, Index mask,
                                 Index step) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const float* const values = ring + ((row + r + step) & mask) * kWidth;
    const float weight = to_float(weights[r * weights_stride]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      add_product(sums[r][v], weight, values + v * kRowLanes<kWidth>);
    }
  }
}

// kVectors vectors of channels of kRows rows of floats from `first` on, the caller's and the ring's
// alike. The sums begin with a row's own input. The nearest output is added last: it was finished
// only just now, and of two rows the second one finds it in registers. One sum a lane is enough, as
// rows overlap but for that last step.
template <int kRows, int kVectors, int kWidth, bool kStreams, typename W>
HEDDLE_INLINE void short_part(float* y, const float* x, Index stride, float* ring, Index row,
                              Index mask, const W* own, Index own_stride, const W* weights,
                              Index weights_stride, const Index* steps, Index count, int first) {
  RowLanes<kWidth> sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      load(sums[r][v], x + r * stride + first + v * kRowLanes<kWidth>);
      scale(sums[r][v], to_float(own[r * own_stride]));
    }
  }
  const float* const outputs = ring + first;
  const bool follows = kRows > 1 && count > 0 && steps[0] == -1;
  const Index last = follows ? 1 : 0;
  for (Index e = count - 1; e >= last; --e) {
    add_ring_rows<kRows, kVectors, kWidth>(sums, weights + e, weights_stride, outputs, row, mask,
                                           steps[e]);
  }
  if (follows) {
    add_ring_rows<1, kVectors, kWidth>(sums, weights, weights_stride, outputs, row, mask, -1);
#pragma GCC unroll 8
    for (int r = 1; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        add_product(sums[r][v], to_float(weights[r * weights_stride]), sums[r - 1][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float* const kept = ring + ((row + r) & mask) * kWidth + first;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      float* const to = y + r * stride + first + v * kRowLanes<kWidth>;
      if (kStreams) {
        store_around(to, sums[r][v]);
      } else {
        store(to, sums[r][v]);
      }
      store(kept + v * kRowLanes<kWidth>, sums[r][v]);
    }
  }
}
template <int kRows, int kWidth, bool kStreams, typename W>
HEDDLE_INLINE void short_row(float* y, const float* x, Index stride, float* ring, Index row,
                             Index mask, const W* own, Index own_stride, const W* weights,
                             Index weights_stride, const Index* steps, Index count) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kMost = kMostLanes == kLanes ? 8 / kRows : 8;  // vectors at once
  constexpr int kWhole = kVectors / kMost;
  for (int part = 0; part < kWhole; ++part) {
    short_part<kRows, kMost, kWidth, kStreams>(y, x, stride, ring, row, mask, own, own_stride,
                                               weights, weights_stride, steps, count,
                                               part * kMost * kRowLanes<kWidth>);
  }
  if constexpr (kVectors % kMost != 0) {
    short_part<kRows, kVectors % kMost, kWidth, kStreams>(
        y, x, stride, ring, row, mask, own, own_stride, weights, weights_stride, steps, count,
        kWhole * kMost * kRowLanes<kWidth>);
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
  // Two rows at a time take less, as more of them is under way at once.
  const auto work = [&](auto at_once, auto streams) {
    constexpr int kRows = decltype(at_once)::value;
    for (int r = 0; r < kRows; ++r) {
      ask_for_callers_rows<kChannels>(y + r * stride, x + r * stride, stride);
      prefetch_span(weights + (kCallersAhead + r) * weights_stride, count);
    }
    if constexpr (kPlain) {
      short_row<kRows, kWidth, decltype(streams)::value>(
          y, x, stride, ring, row, mask, own, own_stride, weights, weights_stride, steps, count);
    } else {
      float input[kWidth], mixed[kWidth];
      keep_row<kChannels>(input, x);
      short_row<1, kWidth, false>(mixed, input, kWidth, ring, row, mask, own, own_stride, weights,
                                  weights_stride, steps, count);
      close_row<kChannels>(y, ring + (row & mask) * kWidth, mixed, 1.0f, around);
    }
    row += kRows, x += kRows * stride, y += kRows * stride;
    own += kRows * own_stride, weights += kRows * weights_stride;
  };
  const auto all = [&](auto streams) {
    constexpr int kAtOnce = kPlain ? 2 : 1;
    for (Index pair = rows / kAtOnce; pair > 0; --pair) {
      work(std::integral_constant<int, kAtOnce>(), streams);
    }
    for (Index rest = rows % kAtOnce; rest > 0; --rest) {
      work(std::integral_constant<int, 1>(), streams);
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

// ---- runs ---------------------------------------------------------------------------------------

// Rows of a run are worked on together; what each of them reads by one step are rows side by side.
constexpr Index kRunRows = 16;
// As alike_rows, of one run.
inline Index alike_run(const Index* steps, Index size, Index most, Index i, Index rows) {
  return alike_rows(steps, size, most, i, rows < kRunRows ? rows : kRunRows);
}

// Rows of runs stand in a ring, in which they follow one another; a run ends with it. Its first
// kRunRows rows stand behind the last one once more, so that a run of rows is side by side from
// wherever it begins.

// `slot` is less than a ring before or behind it.
HEDDLE_INLINE Index ring_place(Index slot, Index ring) {
  return slot < 0 ? slot + ring : slot < ring ? slot : slot - ring;
}
// Rows of the ring where no step is longer than `longest`, and with those that stand there twice.
inline Index run_ring(Index longest) { return longest + kRunRows; }
inline Index run_ring_rows(Index longest) { return run_ring(longest) + kRunRows; }
// `count` channels of the row in place `slot`, once more where it is one of the first.
template <int kWidth>
HEDDLE_INLINE void repeat_lanes(float* row, Index ring, Index slot, int count) {
  for (int d = 0; slot < kRunRows && d < count; d += kRowLanes<kWidth>) {
    RowLanes<kWidth> lanes;
    load(lanes, row + d);
    store(row + ring * kWidth + d, lanes);
  }
}
template <int kWidth>
HEDDLE_INLINE void repeat_row(float* values, Index ring, Index slot) {
  repeat_lanes<kWidth>(values + slot * kWidth, ring, slot, kWidth);
}

// score = <row, other>, and those of eight rows, in the same order.
template <int kWidth>
HEDDLE_INLINE float score_across(const float* row, const float* other) {
  RowLanes<kWidth> sums;
  clear(sums);
#pragma GCC unroll 8
  for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) add_products(sums, row + d, other + d);
  float score;
  sum_lanes(&score, folded(sums));
  return score;
}
template <int kWidth>
HEDDLE_INLINE void scores_down(float* scores, const float* rows, const float* others,
                               Index stride) {
  RowLanes<kWidth> sums[8];
  for (int i = 0; i < 8; ++i) clear(sums[i]);
#pragma GCC unroll 8
  for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      add_products(sums[i], rows + i * kWidth + d, others + i * stride + d);
    }
  }
  sum_lanes_of_eight(scores, sums);
}
// Of each row of a run and one other; scores lie `apart` behind one another, others `stride`.
template <int kWidth, typename T>
inline void scores_of_step(T* scores, Index apart, const float* rows, const float* others,
                           Index stride, Index count) {
  Index r = 0;
  for (; r + 8 <= count; r += 8) {
    float sums[8];
    scores_down<kWidth>(sums, rows + r * kWidth, others + r * stride, stride);
    for (Index i = 0; i < 8; ++i) store_real(scores + (r + i) * apart, sums[i]);
  }
  for (; r < count; ++r) {
    store_real(scores + r * apart, score_across<kWidth>(rows + r * kWidth, others + r * stride));
  }
}
// kCount scores of each row of a run at once, which lie entry_apart behind one another.
template <int kCount, int kWidth, typename T>
HEDDLE_INLINE void scores_of_group(T* scores, Index apart, Index entry_apart, const float* rows,
                                   const float* const* others, Index count) {
  constexpr int kMost = 8;
  for (Index r = 0; r < count; ++r) {
    RowLanes<kWidth> parts[kMost];
    for (int i = 0; i < kMost; ++i) clear(parts[i]);
#pragma GCC unroll 8
    for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
#pragma GCC unroll 8
      for (int i = 0; i < kCount; ++i) {
        add_products(parts[i], rows + r * kWidth + d, others[i] + r * kWidth + d);
      }
    }
    float sums[kMost];
    sum_lanes_of_eight(sums, parts);
    for (int i = 0; i < kCount; ++i) store_real(scores + r * apart + i * entry_apart, sums[i]);
  }
}
// scores[r * apart + e * entry_apart] = <row r, row r of others_of(e)>, e < size. Eight entries of
// a row at once; of the last ones, where they are few, those of eight rows.
template <int kWidth, typename T, typename OthersOf>
HEDDLE_INLINE void scores_of_run(T* scores, Index apart, Index entry_apart, const float* rows,
                                 Index size, Index count, const OthersOf& others_of) {
  constexpr Index kAtOnce = 8;
  Index e = 0;
  while (size - e > kAtOnce / 2) {
    const Index some = size - e < kAtOnce ? size - e : kAtOnce;
    const float* others[kAtOnce];
    for (Index i = 0; i < some; ++i) others[i] = others_of(e + i);
    T* const to = scores + e * entry_apart;
    if (some == 8) scores_of_group<8, kWidth>(to, apart, entry_apart, rows, others, count);
    if (some == 7) scores_of_group<7, kWidth>(to, apart, entry_apart, rows, others, count);
    if (some == 6) scores_of_group<6, kWidth>(to, apart, entry_apart, rows, others, count);
    if (some == 5) scores_of_group<5, kWidth>(to, apart, entry_apart, rows, others, count);
    e += some;
  }
  for (; e < size; ++e) {
    scores_of_step<kWidth>(scores + e * entry_apart, apart, rows, others_of(e), kWidth, count);
  }
}

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
// The weights of a run of rows, from their queries, their keys and those of keys_of(e), e < size.
template <int kWidth, typename KeysOf>
HEDDLE_INLINE void weigh_run(float* weights, const float* queries, const float* keys, Index size,
                             Index rows, float scale_of_scores, float factor_own, float factor_rest,
                             const KeysOf& keys_of) {
  scores_of_step<kWidth>(weights, 1, queries, keys, kWidth, rows);
  scores_of_run<kWidth>(weights + kRunRows, 1, kRunRows, queries, size, rows, keys_of);
  softmax_run(weights, size + 1, scale_of_scores, factor_own, factor_rest);
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
// own[r] = start[r] + the sum over e < count of weights_of(e)[r] * rows_of(e)[r], for kVectors
// vectors of channels; rows of `start` lie `stride` behind one another. Far rows go by eight
// windows at a time. The `near` first entries may be rows of the run: `finish` completes each row
// in its place before the next one may read it.
template <int kVectors, int kWidth, typename RowsOf, typename WeightsOf, typename Finish>
HEDDLE_INLINE void gather_run_part(float* own, const float* start, Index stride, Index near,
                                   Index count, Index rows, const RowsOf& rows_of,
                                   const WeightsOf& weights_of, const Finish& finish) {
  constexpr int kAtOnce = 8;
  const float* places[kRunRows + kAtOnce];
  const float* weights[kRunRows + kAtOnce];
  const auto find = [&](Index begin, Index end) {
    for (Index e = begin; e < end; ++e) {
      places[e - begin] = rows_of(e);
      weights[e - begin] = weights_of(e);
    }
  };
  Index left = count;
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
    for (int v = 0; v < kVectors; ++v) store(own + r * kWidth + v * kRowLanes<kWidth>, sums[v]);
    finish(r, own + r * kWidth, kVectors * kRowLanes<kWidth>);
  }
}
// ... of all channels: rows_of and weights_of say where those of entry e stand, `finish(r, row,
// count)` is given as many channels of row r as are worked on at once.
template <int kWidth, typename RowsOf, typename WeightsOf, typename Finish>
HEDDLE_INLINE void gather_run(float* own, const float* start, Index stride, Index near, Index count,
                              Index rows, const RowsOf& rows_of, const WeightsOf& weights_of,
                              const Finish& finish) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kMost = 8;  // vectors at once
  constexpr int kWhole = kVectors / kMost;
  const auto part_of = [&](int first) {
    return [&rows_of, first](Index e) { return rows_of(e) + first; };
  };
  for (int part = 0; part < kWhole; ++part) {
    const int first = part * kMost * kRowLanes<kWidth>;
    gather_run_part<kMost, kWidth>(own + first, start + first, stride, near, count, rows,
                                   part_of(first), weights_of, finish);
  }
  if constexpr (kVectors % kMost != 0) {
    constexpr int kFirst = kWhole * kMost * kRowLanes<kWidth>;
    gather_run_part<kVectors % kMost, kWidth>(own + kFirst, start + kFirst, stride, near, count,
                                              rows, part_of(kFirst), weights_of, finish);
  }
}
// Steps that may lead from a row of a run to another one of it, of `count`.
HEDDLE_INLINE Index steps_within_run(const Index* steps, Index count, Index rows) {
  Index near = 0;
  while (near < count && -steps[near] < rows) ++near;
  return near;
}

// `rows` rows, at most kRunRows, that read `size` outputs each. Outputs and keys stand in rings,
// those of the rows from `slot` on. Callers' rows lie `stride` behind one another.
template <int kChannels, typename T>
inline void weighed_rows(T* y, const T* x, const T* q, const T* k, Index stride, float* outputs,
                         float* keys, Index ring, Index slot, float* weights, const Index* steps,
                         Index size, Index rows, float scale_of_scores, float factor_own,
                         float factor_rest, bool around) {
  constexpr int kWidth = padded(kChannels);
  float* const own = outputs + slot * kWidth;
  const auto row_of = [&](Index e) { return ring_place(slot + steps[e], ring) * kWidth; };
  float queries[kRunRows * kWidth];
  for (Index r = 0; r < rows; ++r) {
    prefetch_row<kChannels>(q + (r + kCallersAhead) * stride);
    prefetch_row<kChannels>(k + (r + kCallersAhead) * stride);
    keep_row<kChannels>(queries + r * kWidth, q + r * stride);
    keep_row<kChannels>(keys + (slot + r) * kWidth, k + r * stride);
    repeat_row<kWidth>(keys, ring, slot + r);
  }
  weigh_run<kWidth>(weights, queries, keys + slot * kWidth, size, rows, scale_of_scores, factor_own,
                    factor_rest, [&](Index e) { return keys + row_of(e); });
  for (Index r = 0; r < rows; ++r) {
    ask_for_callers_rows<kChannels>(y + r * stride, x + r * stride, stride);
    scale_row<kChannels>(own + r * kWidth, x + r * stride, weights[r]);
  }
  gather_run<kWidth>(
      own, own, kWidth, steps_within_run(steps, size, rows), size, rows,
      [&](Index e) { return outputs + row_of(e); },
      [&](Index e) { return weights + (e + 1) * kRunRows; },
      [&](Index r, float* row, int count) {
        round_row<T>(row, count);
        repeat_lanes<kWidth>(row, ring, slot + r, count);
      });
  for (Index r = 0; r < rows; ++r) {
    send_row<kChannels>(y + r * stride, own + r * kWidth, around);
  }
}

}  // namespace heddle
