// SPDX-License-Identifier: Apache-2.0
// Lattice rows on cpu: which slots a row reads, followed from row to row, and several rows mixed at
// once where they read the same. Part of the prelude's text, at its end.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

// The rows of B = lattice(f): row i reads p_k(i) = a_k ceil((i - f(k)) / a_k) for f(k) < i, f(0) =
// 1 and a_0 = 1. Each p_k moves on by a_k every a_k rows, and a row is a subset of the row before
// and the newest position, so that what a row reads lives in few slots. From row to row only what
// changes is looked at: a calendar knows the terms that move, and the position i - f(k) that p_k
// leaves is dropped unless p_{k+1} stands there now. No nearer term can, as p_{k-1} >= i - f(k-1),
// and of two terms that stand at one place only one moves, as f ascends.
// The state is one array of LatticeField and, `room` elements each but the last two,
//   first, step, next, place    by term: f(k), a_k, the row in which p_k moves, p_k
//   link                        by term: the next one of its day in the calendar, plus 1
//   slots, positions            the row, nearest first, ending where the arrays end
//   free                        free slots
//   drops                       where in the list stands what the next row drops
//   days                        by row modulo kDays: its first term to look at, plus 1
//   near                        by row of a group: the nearest slots of its list
constexpr Index kDays = 256;     // a power of two
constexpr Index kGroupRows = 4;  // of a group, which shares its far rows in registers
constexpr Index kNearMost = 16;  // a group ends before a row that drops anything farther
constexpr Index kNearRoom = kNearMost + kGroupRows;
enum LatticeField {
  kRoom,
  kTerms,   // how many there are
  kActive,  // and the row has
  kRow,
  kBegin,  // of the row's list in its array
  kSize,
  kFree,                         // how many slots are free
  kDrops,                        // how many positions the next row drops; -1 while nobody looked
  kGroup,                        // rows of the group
  kStable,                       // farthest positions that all of them read
  kSizes,                        // by row of the group: the size of its list
  kTaken = kSizes + kGroupRows,  // and the slot of its output, but for the last
  kLatticeFields = kTaken + kGroupRows
};

struct LatticeArrays {
  Index *first, *step, *next, *place, *link, *slots, *positions, *free, *drops, *days, *near;
  Index end;  // of slots and of positions
};
HEDDLE_INLINE LatticeArrays lattice_arrays(Index* lattice) {
  const Index room = lattice[kRoom];
  LatticeArrays arrays;
  arrays.first = lattice + kLatticeFields;
  arrays.step = arrays.first + room;
  arrays.next = arrays.step + room;
  arrays.place = arrays.next + room;
  arrays.link = arrays.place + room;
  arrays.slots = arrays.link + room;
  arrays.positions = arrays.slots + room;
  arrays.free = arrays.positions + room;
  arrays.drops = arrays.free + room;
  arrays.days = arrays.drops + room;
  arrays.near = arrays.days + kDays;
  arrays.end = room;
  return arrays;
}
// Elements that a lattice of that many terms takes.
inline Index lattice_extent(Index terms) {
  return kLatticeFields + 9 * (terms + 1) + kDays + kGroupRows * kNearRoom;
}
// The row's slots or positions, nearest first, as places in `lattice`.
inline Index lattice_slots(const Index* lattice) {
  return kLatticeFields + 5 * lattice[kRoom] + lattice[kBegin];
}
inline Index lattice_positions(const Index* lattice) {
  return lattice_slots(lattice) + lattice[kRoom];
}
inline Index lattice_size(const Index* lattice) { return lattice[kSize]; }

inline void lattice_open(Index* lattice, Index terms) {
  lattice[kRoom] = terms + 1;
  for (int field = kTerms; field < kLatticeFields; ++field) lattice[field] = 0;
}
// Terms come in order.
inline void lattice_term(Index* lattice, Index first, Index step) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  arrays.first[lattice[kTerms]] = first;
  arrays.step[lattice[kTerms]] = step;
  ++lattice[kTerms];
}

// Puts the term into the calendar. A day may come round before the term's row does.
HEDDLE_INLINE void lattice_await(const LatticeArrays& arrays, Index term) {
  Index& day = arrays.days[arrays.next[term] & (kDays - 1)];
  arrays.link[term] = day;
  day = term + 1;
}

// The slots of `row`, whose positions take slots 0, 1, ... nearest first.
inline void lattice_start(Index* lattice, Index row) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  for (Index day = 0; day < kDays; ++day) arrays.days[day] = 0;
  Index active = 0, size = 0;
  Index* const found = arrays.drops;
  for (; active < lattice[kTerms] && arrays.first[active] < row; ++active) {
    const Index step = arrays.step[active];
    const Index place = step * ceil_div(row - arrays.first[active], step);
    arrays.place[active] = place;
    arrays.next[active] = place + arrays.first[active] + 1;
    lattice_await(arrays, active);
    if (size == 0 || found[size - 1] != place) found[size++] = place;
  }
  for (Index e = 0; e < size; ++e) {
    arrays.positions[arrays.end - size + e] = found[e];
    arrays.slots[arrays.end - size + e] = e;
  }
  lattice[kActive] = active;
  lattice[kRow] = row;
  lattice[kBegin] = arrays.end - size;
  lattice[kSize] = size;
  lattice[kDrops] = -1;
  lattice[kFree] = 0;
  for (Index slot = arrays.end - 1; slot >= size; --slot) arrays.free[lattice[kFree]++] = slot;
}

// Moves the terms on to the next row and finds where in the list stands what it drops, the nearest
// first.
inline void lattice_look(Index* lattice) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  const Index row = ++lattice[kRow];
  Index active = lattice[kActive];
  Index moved = 0;
  Index term = arrays.days[row & (kDays - 1)];
  arrays.days[row & (kDays - 1)] = 0;
  while (term != 0) {
    const Index k = term - 1;
    term = arrays.link[k];
    if (arrays.next[k] == row) {
      arrays.place[k] += arrays.step[k];
      arrays.next[k] += arrays.step[k];
      arrays.drops[moved++] = k;
    }
    lattice_await(arrays, k);
  }
  for (; active < lattice[kTerms] && arrays.first[active] < row; ++active) {
    arrays.place[active] = arrays.step[active];  // the row is f(k) + 1
    arrays.next[active] = row + arrays.step[active];
    lattice_await(arrays, active);
  }
  lattice[kActive] = active;
  Index drops = 0;
  for (Index e = 0; e < moved; ++e) {
    const Index k = arrays.drops[e];
    const Index place = row - 1 - arrays.first[k];
    if (k + 1 < active && arrays.place[k + 1] == place) continue;
    Index at = lattice[kBegin];
    while (at < arrays.end && arrays.positions[at] > place) ++at;
    Index to = drops++;
    for (; to > 0 && arrays.drops[to - 1] > at; --to) arrays.drops[to] = arrays.drops[to - 1];
    arrays.drops[to] = at;
  }
  lattice[kDrops] = drops;
}

// Moves on to the next row and returns the slot for the position before it, which is read next.
inline Index lattice_next(Index* lattice) {
  if (lattice[kDrops] < 0) lattice_look(lattice);
  const LatticeArrays arrays = lattice_arrays(lattice);
  Index begin = lattice[kBegin];
  for (Index e = 0; e < lattice[kDrops]; ++e) {
    const Index drop = arrays.drops[e];
    arrays.free[lattice[kFree]++] = arrays.slots[drop];
    for (Index at = drop; at > begin; --at) {
      arrays.slots[at] = arrays.slots[at - 1];
      arrays.positions[at] = arrays.positions[at - 1];
    }
    ++begin;
  }
  const Index slot = arrays.free[--lattice[kFree]];
  --begin;
  arrays.positions[begin] = lattice[kRow] - 1;
  arrays.slots[begin] = slot;
  lattice[kBegin] = begin;
  lattice[kSize] = arrays.end - begin;
  lattice[kDrops] = -1;
  return slot;
}

// ---- groups of rows -----------------------------------------------------------------------------

// Makes a group of this row and those after it, at most `rows`, as far as nothing far is dropped
// between them; returns how many. The state is then that of the last of them.
inline Index lattice_group(Index* lattice, Index rows) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  Index stable = lattice[kSize];
  Index group = 0;
  for (;;) {
    const Index size = lattice[kSize];
    lattice[kSizes + group] = size;
    const Index* const list = arrays.slots + lattice[kBegin];
    Index* const near = arrays.near + group * kNearRoom;
    const Index held = size < kNearRoom ? size : kNearRoom;
    for (Index e = 0; e < held; ++e) near[e] = list[e];
    if (++group == kGroupRows || group == rows) break;
    lattice_look(lattice);
    const Index drops = lattice[kDrops];
    if (drops > 0) {
      const Index farthest = arrays.drops[drops - 1];
      if (farthest - lattice[kBegin] >= kNearMost) break;
      const Index beyond = arrays.end - 1 - farthest;
      stable = beyond < stable ? beyond : stable;
    }
    lattice[kTaken + group - 1] = lattice_next(lattice);
  }
  lattice[kGroup] = group;
  lattice[kStable] = stable;
  return group;
}
// The slot for the output of row r of the group, 0, 1, ... in order; the last moves the state on to
// the row after the group.
inline Index lattice_slot(Index* lattice, Index r) {
  return r + 1 < lattice[kGroup] ? lattice[kTaken + r] : lattice_next(lattice);
}

// mixed[r][d] += the sum over e of weights[r][e] * row(steps[e])[d], for kRows rows of `mixed` and
// kVectors vectors of channels: a row that is read is used kRows times.
template <int kRows, int kVectors, int kWidth, typename W>
HEDDLE_INLINE void mix_group_channels(float* mixed, const W* const* weights, const float* rows,
                                      const Index* steps, Index count) {
  RowLanes<kWidth> sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) load(sums[r][v], mixed + r * kWidth + v * kRowLanes<kWidth>);
  }
  for (Index e = 0; e < count; ++e) {
    const float* row = rows + steps[e] * kWidth;
    RowLanes<kWidth> values[kVectors];
    for (int v = 0; v < kVectors; ++v) load(values[v], row + v * kRowLanes<kWidth>);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float weight = to_float(weights[r][e]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) add_product(sums[r][v], weight, values[v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v)
      store(mixed + r * kWidth + v * kRowLanes<kWidth>, sums[r][v]);
  }
}
template <int kRows, int kWidth, typename W>
inline void mix_group_rows(float* mixed, const W* const* weights, const float* rows,
                           const Index* steps, Index count) {
  constexpr int kPart = 2 * kRowLanes<kWidth>;
  constexpr int kWhole = kWidth / kPart * kPart;
  const W* own[kRows];
  for (int r = 0; r < kRows; ++r) own[r] = weights[r];
  for (int d = 0; d < kWhole; d += kPart) {
    mix_group_channels<kRows, 2, kWidth>(mixed + d, own, rows + d, steps, count);
  }
  if constexpr (kWhole < kWidth) {
    mix_group_channels<kRows, 1, kWidth>(mixed + kWhole, own, rows + kWhole, steps, count);
  }
}
// Mixes what all rows of the group read. The weights of a row are `stride` behind those of the one
// before; those of the group after the next are on their way when it comes.
template <int kWidth, typename W>
inline void mix_group(float* mixed, const W* weights, Index stride, const float* rows,
                      Index* lattice) {
  const LatticeArrays arrays = lattice_arrays(lattice);
  const Index group = lattice[kGroup], count = lattice[kStable];
  const Index* const steps = arrays.slots + arrays.end - count;
  const W* own[kGroupRows];
  for (Index r = 0; r < group; ++r) {
    own[r] = weights + r * stride + lattice[kSizes + r] - count;
    prefetch_span(weights + (r + 2 * kGroupRows) * stride, lattice[kSizes + r]);
  }
  if (group == 4) return mix_group_rows<4, kWidth>(mixed, own, rows, steps, count);
  if (group == 3) return mix_group_rows<3, kWidth>(mixed, own, rows, steps, count);
  if (group == 2) return mix_group_rows<2, kWidth>(mixed, own, rows, steps, count);
  mix_group_rows<1, kWidth>(mixed, own, rows, steps, count);
}
// And what row r of the group reads besides, when the rows before it are finished.
template <int kWidth, typename W>
inline void mix_near(float* mixed, const W* weights, const float* rows, Index* lattice, Index r) {
  mix_rows<kWidth>(mixed, weights, rows, lattice_arrays(lattice).near + r * kNearRoom,
                   lattice[kSizes + r] - lattice[kStable]);
}

}  // namespace heddle
