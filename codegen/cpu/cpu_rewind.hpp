// SPDX-License-Identifier: Apache-2.0
// Lattice rows on cpu from the last to the first: a journal of what each row drops, written once
// and read backwards for each head. Part of the text of cpu_gradients.hpp, at its end.
#pragma once

#include "codegen/cpu/cpu_gradients.hpp"

namespace heddle {

// A position has a slot from the row before which it is read first, backwards, to its own. The
// journal is one array: JournalField, the list of the last row and its slots, `room` elements each,
// and then by row, from the first on, for each dropped position its place in the list, its slot and
// itself, and their number behind them.
enum JournalField { kLastRow, kLastBegin, kEnd, kCursor, kAhead, kAheadSize, kJournalFields };
// What comes back so many rows from now is asked for: it may lie anywhere.
constexpr Index kRowsAhead = 8;

// Elements that a journal of `rows` rows takes: every row adds one position, and none is dropped
// more often than it was added.
inline Index journal_extent(Index rows, Index terms) {
  return kJournalFields + 2 * (terms + 1) + 4 * rows;
}

// Follows the rows 1 .. rows of an opened lattice.
inline void lattice_record(Index* lattice, Index* journal, Index rows) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  const Index room = arrays.end;
  Index at = kJournalFields + 2 * room;
  lattice_start(lattice, 1);
  for (Index row = 2; row <= rows; ++row) {
    lattice_look(lattice);
    const Index drops = lattice[kDrops];
    for (Index e = 0; e < drops; ++e) {
      const Index drop = arrays.drops[e];
      journal[at++] = drop;
      journal[at++] = arrays.slots[drop];
      journal[at++] = arrays.positions[drop];
    }
    journal[at++] = drops;
    lattice_next(lattice);
  }
  journal[kLastRow] = rows;
  journal[kLastBegin] = lattice[kBegin];
  journal[kEnd] = at;
  for (Index e = lattice[kBegin]; e < room; ++e) {
    journal[kJournalFields + e] = arrays.slots[e];
    journal[kJournalFields + room + e] = arrays.positions[e];
  }
}

inline void journal_ahead(Index* journal, Index room) {
  Index at = journal[kAhead];
  const bool any = at > kJournalFields + 2 * room;
  journal[kAheadSize] = any ? journal[at - 1] : 0;
  if (any) journal[kAhead] = at - 1 - 3 * journal[at - 1];
}
// The e-th position that comes back kRowsAhead rows from now.
inline Index lattice_ahead(const Index* journal) { return journal[kAheadSize]; }
inline Index lattice_ahead_position(const Index* journal, Index e) {
  return journal[journal[kAhead] + 3 * e + 2];
}

// To the last row.
inline void lattice_wind(Index* lattice, Index* journal) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  const Index room = arrays.end, begin = journal[kLastBegin];
  for (Index e = begin; e < room; ++e) {
    arrays.slots[e] = journal[kJournalFields + e];
    arrays.positions[e] = journal[kJournalFields + room + e];
  }
  lattice[kRow] = journal[kLastRow];
  lattice[kBegin] = begin;
  lattice[kSize] = room - begin;
  journal[kCursor] = journal[kAhead] = journal[kEnd];
  for (Index row = 0; row < kRowsAhead; ++row) journal_ahead(journal, room);
}

// Moves to the row before, and returns the slot that this row had as a position. What comes back
// into the list, which may be in that slot, are lattice_returned places of it.
inline Index lattice_back(Index* lattice, Index* journal) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  Index begin = lattice[kBegin];
  const Index slot = arrays.slots[begin++];
  Index at = journal[kCursor];
  const Index drops = journal[--at];
  for (Index e = drops - 1; e >= 0; --e) {
    at -= 3;
    const Index drop = journal[at];
    --begin;
    for (Index to = begin; to < drop; ++to) {
      arrays.slots[to] = arrays.slots[to + 1];
      arrays.positions[to] = arrays.positions[to + 1];
    }
    arrays.slots[drop] = journal[at + 1];
    arrays.positions[drop] = journal[at + 2];
    arrays.drops[e] = drop;
  }
  journal[kCursor] = at;
  journal_ahead(journal, arrays.end);
  lattice[kDrops] = drops;
  --lattice[kRow];
  lattice[kBegin] = begin;
  lattice[kSize] = arrays.end - begin;
  return slot;
}
inline Index lattice_returned(const Index* lattice) { return lattice[kDrops]; }
// The slot and the position of the e-th of them.
inline Index lattice_returned_slot(Index* lattice, Index e) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  return arrays.slots[arrays.drops[e]];
}
inline Index lattice_returned_position(Index* lattice, Index e) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  return arrays.positions[arrays.drops[e]];
}

// ---- groups of rows -----------------------------------------------------------------------------

// Makes a group of this row and those before it, at most `rows`, as far as nothing far comes back
// between them; returns how many. All of them read the farthest kStable places of the list, among
// which none of the group is.
inline Index lattice_group_back(Index* lattice, const Index* journal, Index rows) {
  const Index end = lattice[kRoom];
  Index size = lattice[kSize], at = journal[kCursor];
  Index stable = size, group = 1;
  lattice[kSizes] = size;
  for (; group < kGroupRows && group < rows; ++group) {
    const Index drops = journal[at - 1];
    size += drops - 1;
    if (drops > 0) {
      const Index farthest = journal[at - 4];
      if (farthest - (end - size) >= kNearMost) break;
      const Index beyond = end - 1 - farthest;
      stable = beyond < stable ? beyond : stable;
    }
    stable = size < stable ? size : stable;
    lattice[kSizes + group] = size;
    at -= 3 * drops + 1;
  }
  lattice[kGroup] = group;
  lattice[kStable] = stable;
  return group;
}
// What row r of the group reads besides, when the state is that of the row.
inline Index lattice_near(const Index* lattice, Index r) {
  return lattice[kSizes + r] - lattice[kStable];
}

template <int kRows, int kVectors, int kWidth, typename W>
HEDDLE_INLINE void push_group_channels(float* sums, const float* lambda, const W* const* weights,
                                       const Index* steps, Index count) {
  RowLanes<kWidth> values[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v)
      load(values[r][v], lambda + r * kWidth + v * kRowLanes<kWidth>);
  }
  for (Index e = 0; e < count; ++e) {
    float* const to = sums + steps[e] * kWidth;
    RowLanes<kWidth> sum[kVectors];
    for (int v = 0; v < kVectors; ++v) load(sum[v], to + v * kRowLanes<kWidth>);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float weight = to_float(weights[r][e]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) add_product(sum[v], weight, values[r][v]);
    }
    for (int v = 0; v < kVectors; ++v) store(to + v * kRowLanes<kWidth>, sum[v]);
  }
}
// slopes[r][e] = <lambda row r, values row steps[e]>, two entries at a time.
template <int kRows, int kWidth, typename T>
HEDDLE_INLINE void slope_group_rows(T* const* slopes, const float* lambda, const float* values,
                                    const Index* steps, Index count) {
  for (Index e = 0; e < count; e += 2) {
    const Index other = e + 1 < count ? e + 1 : e;
    const float* const one = values + steps[e] * kWidth;
    const float* const two = values + steps[other] * kWidth;
    RowLanes<kWidth> parts[8];
    for (RowLanes<kWidth>& part : parts) clear(part);
    for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        add_products(parts[2 * r], lambda + r * kWidth + d, one + d);
        add_products(parts[2 * r + 1], lambda + r * kWidth + d, two + d);
      }
    }
    float sums[8];
    sum_lanes_of_eight(sums, parts);
    for (int r = 0; r < kRows; ++r) {
      store_real(slopes[r] + e, sums[2 * r]);
      if (e != other) store_real(slopes[r] + other, sums[2 * r + 1]);
    }
  }
}
template <int kRows, int kWidth, typename T>
inline void push_group_rows(float* sums, const float* lambda, const float* values,
                            const T* const* weights, T* const* slopes, const Index* steps,
                            Index count) {
  slope_group_rows<kRows, kWidth>(slopes, lambda, values, steps, count);
  constexpr int kPart = 2 * kRowLanes<kWidth>;
  constexpr int kWhole = kWidth / kPart * kPart;
  for (int d = 0; d < kWhole; d += kPart) {
    push_group_channels<kRows, 2, kWidth>(sums + d, lambda + d, weights, steps, count);
  }
  if constexpr (kWhole < kWidth) {
    push_group_channels<kRows, 1, kWidth>(sums + kWhole, lambda + kWhole, weights, steps, count);
  }
}
// What all rows of the group read gets their gradients and gives those of their weights. Row r of
// the group has row r of `lambda`; its weights and slopes stand r * stride before those of the
// first, and slopes behind its last entry are zero, up to `width`.
template <int kWidth, typename T>
inline void push_group(float* sums, const float* lambda, const float* values, const T* weights,
                       T* slopes, Index stride, Index width, const Index* lattice) {
  const Index group = lattice[kGroup], count = lattice[kStable];
  const Index* const steps =
      lattice + kLatticeFields + 6 * lattice[kRoom] - count;  // the end of the slots
  const T* own[kGroupRows];
  T* to[kGroupRows];
  for (Index r = 0; r < group; ++r) {
    const Index size = lattice[kSizes + r];
    own[r] = weights - r * stride + size - count;
    to[r] = slopes - r * stride + size - count;
    for (Index e = size; e < width; ++e) store_real(slopes - r * stride + e, 0.0f);
    // Those of the group after the next are on their way when it comes.
    const Index later = (r + 2 * kGroupRows) * stride;
    prefetch_span(weights - later, size);
    prefetch_span(slopes - later, width);
  }
  if (group == 4) return push_group_rows<4, kWidth>(sums, lambda, values, own, to, steps, count);
  if (group == 3) return push_group_rows<3, kWidth>(sums, lambda, values, own, to, steps, count);
  if (group == 2) return push_group_rows<2, kWidth>(sums, lambda, values, own, to, steps, count);
  push_group_rows<1, kWidth>(sums, lambda, values, own, to, steps, count);
}

}  // namespace heddle
