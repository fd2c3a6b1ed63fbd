// SPDX-License-Identifier: Apache-2.0
// What generated CPU kernels call. C++17 and standard headers; on Linux also madvise. Loops have
// lengths that are known when they are compiled and sum in an order that does not depend on the
// data, so that a compiler may vectorise them without reassociating anything.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(HEDDLE_FIELD) && !defined(HEDDLE_PLAIN_LANES)
#define HEDDLE_PLAIN_LANES  // `float` is another type, which has no vectors
#endif

#define HEDDLE_FUNCTION inline

#include "codegen/prelude/scalars.hpp"

#include "codegen/cpu/cpu_lanes.hpp"
#include "codegen/cpu/cpu_narrow.hpp"

namespace heddle {

// ---- rows ---------------------------------------------------------------------------------------

// Kernels copy the rows of one head side by side: floats, kWidth of them a row, a multiple of
// kLanes; what stands behind the last channel is zero. `steps` say which rows are meant, counted
// from `rows`, nearest first.

// How many rows one register's worth of sums is shared by: enough independent sums to keep two
// multiply-adds a cycle going where one takes four.
constexpr int chains(int vectors) { return vectors >= 5 ? 1 : vectors == 1 ? 8 : 8 / vectors; }

// mixed[d] += the sum over e of weights[e] * row(steps[e])[d], for kVectors vectors of channels
// of rows of kWidth. The nearest row comes last: it is the one that was finished only just now.
template <int kVectors, int kWidth, typename W>
HEDDLE_INLINE void mix_channels(float* mixed, const W* weights, const float* rows,
                                const Index* steps, Index count) {
  constexpr int kChains = chains(kVectors);
  RowLanes<kWidth> sums[kChains][kVectors];
  for (int chain = 1; chain < kChains; ++chain) {
    for (int v = 0; v < kVectors; ++v) clear(sums[chain][v]);
  }
  for (int v = 0; v < kVectors; ++v) load(sums[0][v], mixed + v * kRowLanes<kWidth>);
  Index e = count;
  for (; e % kChains != 0; --e) {
    const float* row = rows + steps[e - 1] * kWidth;
    const float weight = to_float(weights[e - 1]);
    for (int v = 0; v < kVectors; ++v) add_product(sums[0][v], weight, row + v * kRowLanes<kWidth>);
  }
  for (; e > 0; e -= kChains) {
#pragma GCC unroll 8
    for (int chain = 0; chain < kChains; ++chain) {
      const Index entry = e - 1 - chain;
      const float* row = rows + steps[entry] * kWidth;
      const float weight = to_float(weights[entry]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        add_product(sums[chain][v], weight, row + v * kRowLanes<kWidth>);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    for (int chain = 1; chain < kChains; ++chain) add(sums[0][v], sums[chain][v]);
    store(mixed + v * kRowLanes<kWidth>, sums[0][v]);
  }
}

template <int kWidth, typename W>
inline void mix_rows(float* mixed, const W* weights, const float* rows, const Index* steps,
                     Index count) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kWhole = kVectors / 8;
  constexpr int kPart = 8 * kRowLanes<kWidth>;
  for (int part = 0; part < kWhole; ++part) {
    mix_channels<8, kWidth>(mixed + part * kPart, weights, rows + part * kPart, steps, count);
  }
  if constexpr (kVectors % 8 != 0) {
    mix_channels<kVectors % 8, kWidth>(mixed + kWhole * kPart, weights, rows + kWhole * kPart,
                                       steps, count);
  }
}

// The same for many rows at once, where none of them reads another: row r of `mixed` gets the sum
// over e of weights[r * stride + e] * row(r + steps[e]). Up to eight steps at a time, each a window
// of rows that is read from its beginning to its end.
constexpr Index kWindows = 8;
// A caller's rows of weights lie far apart: first those of eight windows are put side by side, in
// `packed`. Two rows more than there are keep the columns out of each other's sets of a cache.
HEDDLE_INLINE Index packed_column(Index rows) { return (rows + 2) * kWindows; }
inline Index packed_extent(Index rows, Index steps) {
  return (steps / kWindows + 1) * packed_column(rows);
}

template <int kCount, int kVectors, int kWidth>
HEDDLE_INLINE void mix_window_group(float* mixed, Index count, const float* packed,
                                    const float* rows, const Index* steps) {
  constexpr int kChains = chains(kVectors) < kCount ? chains(kVectors) : kCount;
  const float* window[kCount];
  for (int i = 0; i < kCount; ++i) window[i] = rows + steps[i] * kWidth;
  for (Index at = 0; at < count * kWidth; at += kWidth, packed += kWindows, mixed += kWidth) {
    RowLanes<kWidth> sums[kChains][kVectors];
    for (int chain = 1; chain < kChains; ++chain) {
      for (int v = 0; v < kVectors; ++v) clear(sums[chain][v]);
    }
    for (int v = 0; v < kVectors; ++v) load(sums[0][v], mixed + v * kRowLanes<kWidth>);
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) {
      const float* row = window[i] + at;
      const float factor = packed[i];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        add_product(sums[i % kChains][v], factor, row + v * kRowLanes<kWidth>);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      for (int chain = 1; chain < kChains; ++chain) add(sums[0][v], sums[chain][v]);
      store(mixed + v * kRowLanes<kWidth>, sums[0][v]);
    }
  }
}
template <int kVectors, int kWidth>
inline void mix_window_channels(float* mixed, Index count, const float* packed, const float* rows,
                                const Index* steps, Index steps_count) {
  Index e = 0;
  for (; e + 8 <= steps_count; e += 8, packed += packed_column(count)) {
    mix_window_group<8, kVectors, kWidth>(mixed, count, packed, rows, steps + e);
  }
  if (e + 4 <= steps_count) {
    mix_window_group<4, kVectors, kWidth>(mixed, count, packed, rows, steps + e);
    e += 4;
    packed += 4;
  }
  if (e + 2 <= steps_count) {
    mix_window_group<2, kVectors, kWidth>(mixed, count, packed, rows, steps + e);
    e += 2;
    packed += 2;
  }
  if (e < steps_count) {
    mix_window_group<1, kVectors, kWidth>(mixed, count, packed, rows, steps + e);
  }
}

template <int kWidth, typename W>
inline void mix_windows(float* mixed, Index count, const W* weights, Index stride,
                        const float* rows, const Index* steps, Index steps_count, float* packed) {
  const Index column = packed_column(count);
  for (Index r = 0; r < count; ++r) {
    const W* const row = weights + r * stride;
    float* to = packed + r * kWindows;
    Index e = 0;
    for (; e + kWindows <= steps_count; e += kWindows, to += column) {
      widen_row<static_cast<int>(kWindows)>(to, row + e);
    }
    for (; e < steps_count; ++e) *to++ = to_float(row[e]);
  }
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kWhole = kVectors / 8;
  constexpr int kPart = 8 * kRowLanes<kWidth>;
  for (int part = 0; part < kWhole; ++part) {
    mix_window_channels<8, kWidth>(mixed + part * kPart, count, packed, rows + part * kPart, steps,
                                   steps_count);
  }
  if constexpr (kVectors % 8 != 0) {
    mix_window_channels<kVectors % 8, kWidth>(mixed + kWhole * kPart, count, packed,
                                              rows + kWhole * kPart, steps, steps_count);
  }
}

// The sum of the lanes, and those of eight at once in the same order. Of sixteen, each of the first
// eight gets one of the others first.
HEDDLE_INLINE void sum_lanes(float* sum, const Lanes& lanes) {
  float lane[kLanes];
  store(lane, lanes);
  *sum = ((lane[0] + lane[2]) + (lane[1] + lane[3])) + ((lane[4] + lane[6]) + (lane[5] + lane[7]));
}
HEDDLE_INLINE const Lanes& folded(const Lanes& lanes) { return lanes; }
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 12) && !defined(HEDDLE_PLAIN_LANES)
HEDDLE_INLINE Lanes folded(const Floats<16>& lanes) {
  const auto all = lanes.lane;
  return {__builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7) +
          __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15)};
}
HEDDLE_INLINE void sum_lanes_of_eight(float* sums, const Lanes* parts) {
  Lanes::Register halves[4];
  for (int i = 0; i < 4; ++i) {
    const auto a = parts[2 * i].lane, b = parts[2 * i + 1].lane;
    halves[i] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
                __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Lanes::Register fourths[2];
  for (int i = 0; i < 2; ++i) {
    const auto a = halves[2 * i], b = halves[2 * i + 1];
    fourths[i] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
                 __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  }
  const auto a = fourths[0], b = fourths[1];
  store(sums, Lanes{__builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                    __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)});
}
#else
HEDDLE_INLINE Lanes folded(const Floats<16>& lanes) {
  Lanes sums, others;
  float lane[16];
  store(lane, lanes);
  load(sums, lane);
  load(others, lane + kLanes);
  add(sums, others);
  return sums;
}
HEDDLE_INLINE void sum_lanes_of_eight(float* sums, const Lanes* parts) {
  for (int e = 0; e < 8; ++e) sum_lanes(sums + e, parts[e]);
}
#endif
HEDDLE_INLINE void sum_lanes_of_eight(float* sums, const Floats<16>* parts) {
  Lanes halves[8];
  for (int e = 0; e < 8; ++e) halves[e] = folded(parts[e]);
  sum_lanes_of_eight(sums, halves);
}

template <int kEntries, int kWidth>
HEDDLE_INLINE void score_group(float* scores, const float* query, const float* rows,
                               const Index* steps) {
  RowLanes<kWidth> sums[kEntries];
  const float* row[kEntries];
  for (int e = 0; e < kEntries; ++e) {
    clear(sums[e]);
    row[e] = rows + steps[e] * kWidth;
  }
  for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
#pragma GCC unroll 8
    for (int e = 0; e < kEntries; ++e) add_products(sums[e], query + d, row[e] + d);
  }
  if (kEntries == 8) return sum_lanes_of_eight(scores, sums);
  for (int e = 0; e < kEntries; ++e) sum_lanes(scores + e, folded(sums[e]));
}

// The last few scores: a sum alone waits for each of its multiply-adds, so that several of them,
// the last one repeated, take no longer than two.
template <int kEntries, int kWidth>
inline void score_rest(float* scores, const float* query, const float* rows, const Index* steps,
                       Index count) {
  Index padded_steps[kEntries];
  for (Index e = 0; e < kEntries; ++e) padded_steps[e] = steps[e < count ? e : count - 1];
  float sums[kEntries];
  score_group<kEntries, kWidth>(sums, query, rows, padded_steps);
  for (Index e = 0; e < count; ++e) scores[e] = sums[e];
}

// scores[e] = <query, row(steps[e])>.
template <int kWidth>
inline void score_rows(float* scores, const float* query, const float* rows, const Index* steps,
                       Index count) {
  Index e = 0;
  for (; e + 8 <= count; e += 8) score_group<8, kWidth>(scores + e, query, rows, steps + e);
  if (count - e > 3) return score_rest<8, kWidth>(scores + e, query, rows, steps + e, count - e);
  if (count - e > 1) return score_rest<3, kWidth>(scores + e, query, rows, steps + e, count - e);
  if (e < count) score_group<1, kWidth>(scores + e, query, rows, steps + e);
}

// scores[r * stride + e] = <queries[r], rows[r + steps[e]]> for `count` rows r, the first of which
// has `before` rows before it; zero behind the last step of a row, up to `width`.
template <int kWidth, typename T>
inline void score_windows(T* scores, Index stride, Index width, Index count, const float* queries,
                          const float* rows, const Index* steps, Index most, Index before) {
  Index shared = 0;  // whole groups of steps that every row of the tile has
  while (shared + 8 <= most && steps[shared + 7] + before >= 0) shared += 8;
  for (Index e = 0; e < shared; e += 8) {
    for (Index r = 0; r < count; ++r) {
      float sums[8];
      score_rows<kWidth>(sums, queries + r * kWidth, rows + r * kWidth, steps + e, 8);
      narrow_row<8>(scores + r * stride + e, sums);
    }
  }
  for (Index r = 0; r < count; ++r) {
    Index size = shared;
    while (size < most && steps[size] + before + r >= 0) ++size;
    Index e = shared;
    while (e < size) {
      const Index some = size - e < 8 ? size - e : 8;
      float sums[8];
      score_rows<kWidth>(sums, queries + r * kWidth, rows + r * kWidth, steps + e, some);
      for (Index i = 0; i < some; ++i) store_real(scores + r * stride + e + i, sums[i]);
      e += some;
    }
    for (; e < width; ++e) store_real(scores + r * stride + e, 0.0f);
  }
}

// Turns scores into weights factor * exp(scale_of_scores * score - highest), the first `first` of
// them with the one factor and the others with the other, and returns 1 / their sum, or 0 when
// there are none. A group of sums is carried on, whatever the count.
inline float weigh_scores(float* scores, Index first, Index count, float scale_of_scores,
                          float factor_first, float factor_rest) {
  if (count == 0) return 0.0f;
  using Group = Floats<kMostLanes>;
  const Index whole = count / kMostLanes * kMostLanes;
  float rest[kMostLanes];  // behind the last whole group, and the last score again
  for (Index e = whole; e < whole + kMostLanes; ++e) {
    rest[e - whole] = scores[e < count ? e : count - 1];
  }
  Group highest, last;
  load(last, rest);
  scale(last, scale_of_scores);
  highest = last;
  for (Index e = 0; e < whole; e += kMostLanes) {
    Group lanes;
    load(lanes, scores + e);
    scale(lanes, scale_of_scores);
    raise_to(highest, lanes);
  }
  float lane[kMostLanes];
  store(lane, highest);
  float most = lane[0];
  for (int i = 1; i < kMostLanes; ++i) most = lane[i] > most ? lane[i] : most;
  Group total, below;
  clear(total);
  fill(below, -most);
  const auto weigh = [&](Group& lanes, Index e) {
    add(lanes, below);
    exponentials(lanes);
    if (e >= first) return scale(lanes, factor_rest);
    float own[kMostLanes];
    for (int i = 0; i < kMostLanes; ++i) own[i] = e + i < first ? factor_first : factor_rest;
    Group factors;
    load(factors, own);
    scale(lanes, factors);
  };
  for (Index e = 0; e < whole; e += kMostLanes) {
    Group lanes;
    load(lanes, scores + e);
    scale(lanes, scale_of_scores);
    weigh(lanes, e);
    store(scores + e, lanes);
    add(total, lanes);
  }
  if (whole < count) {
    weigh(last, whole);
    store(rest, last);
    for (Index e = whole; e < count; ++e) scores[e] = rest[e - whole];
    for (Index e = count; e < whole + kMostLanes; ++e) rest[e - whole] = 0.0f;
    load(last, rest);
    add(total, last);
  }
  store(lane, folded(total));
  const float sum =
      ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  return sum > 0.0f ? 1.0f / sum : 0.0f;
}

inline void scale_scores(float* weights, Index count, float inverse) {
#pragma GCC ivdep
  for (Index e = 0; e < count; ++e) weights[e] *= inverse;
}
constexpr int padded(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

// Stores that go around the caches, for what nobody reads again soon; whole rows of aligned floats
// only. settle_stores makes them visible to other threads. By the compilers' own names: to read the
// header of all intrinsics takes longer than to compile a kernel.
#if defined(__AVX__) && defined(__GNUC__) && !defined(HEDDLE_PLAIN_LANES)
template <int kChannels>
inline bool goes_around(const float* to) {
  return kChannels % 16 == 0 && reinterpret_cast<std::uintptr_t>(to) % 64 == 0;
}
template <int kCount>
HEDDLE_INLINE void store_around(float* to, const Floats<kCount>& lanes) {
#if defined(__clang__)
  typedef float Aligned __attribute__((vector_size(4 * kCount), may_alias));
  __builtin_nontemporal_store(static_cast<Aligned>(lanes.lane), reinterpret_cast<Aligned*>(to));
#else
  if constexpr (kCount == kLanes) __builtin_ia32_movntps256(to, lanes.lane);
#if defined(__AVX512F__)
  if constexpr (kCount > kLanes) __builtin_ia32_movntps512(to, lanes.lane);
#endif
#endif
}
template <int kChannels>
inline bool stream_row(float* to, const float* from) {
  if (!goes_around<kChannels>(to)) return false;
  for (int d = 0; d < kChannels; d += kRowLanes<kChannels>) {
    RowLanes<kChannels> lanes;
    load(lanes, from + d);
    store_around(to + d, lanes);
  }
  return true;
}
inline void settle_stores() { __builtin_ia32_sfence(); }
#else
template <int kChannels>
inline bool goes_around(const float*) {
  return false;
}
template <int kCount>
HEDDLE_INLINE void store_around(float* to, const Floats<kCount>& lanes) {
  store(to, lanes);
}
template <int kChannels>
inline bool stream_row(float*, const float*) {
  return false;
}
inline void settle_stores() {}
#endif
template <int kChannels, typename T>
inline bool stream_row(T*, const float*) {
  return false;
}

// The rows of one head may lie too far apart in the caller's buffers for the processor to foresee
// them. Nothing is read: the row may lie outside of its buffer.
template <int kChannels, typename T>
inline void prefetch_row(const T* row) {
  constexpr int kLine = 64 / sizeof(T);
  for (int d = 0; d < kChannels; d += kLine) prefetch(row + d);
}

// The same of `count` values that may begin and end anywhere in a line.
template <typename T>
HEDDLE_INLINE void prefetch_span(const T* first, Index count) {
  constexpr Index kLine = 64 / sizeof(T);
  prefetch(first);
  for (Index e = kLine; e < count; e += kLine) prefetch(first + e);
  prefetch(first + count - 1);
}

// Asks for the input of a later row, and for the translation of where later rows are stored, as
// stores wait for one another; once a page, or for each row where rows are longer.
constexpr Index kCallersAhead = 16;
template <int kChannels, typename T>
HEDDLE_INLINE void ask_for_callers_rows(const T* y, const T* x, Index stride) {
  constexpr std::uintptr_t kPage = 4096;
  prefetch_row<kChannels>(x + kCallersAhead * stride);
  const std::uintptr_t in_page = reinterpret_cast<std::uintptr_t>(y) % kPage;
  if (in_page < static_cast<std::uintptr_t>(stride) * sizeof(T)) prefetch(y + kPage / sizeof(T));
}

// A row of the caller's into one of floats.
template <int kChannels, typename T>
inline void keep_row(float* __restrict__ to, const T* __restrict__ from) {
  widen_row<kChannels>(to, from);
  for (int d = kChannels; d < padded(kChannels); ++d) to[d] = 0.0f;
}
// ... times a weight.
template <int kChannels, typename T>
inline void scale_row(float* __restrict__ to, const T* __restrict__ from, float weight) {
  const auto row = readable<kChannels>(from);
  for (int d = 0; d < kChannels; ++d) to[d] = weight * to_float(row[d]);
  for (int d = kChannels; d < padded(kChannels); ++d) to[d] = 0.0f;
}
template <int kWidth>
inline void zero_row(float* to) {
  for (int d = 0; d < kWidth; ++d) to[d] = 0.0f;
}
// And back.
template <int kChannels, typename T>
inline void send_row(T* __restrict__ to, const float* __restrict__ from, bool around) {
  if (around && stream_row<kChannels>(to, from)) return;
  narrow_row<kChannels>(to, from);
}
template <int kChannels, typename T>
inline void copy_row(T* __restrict__ to, const T* __restrict__ from) {
  for (int d = 0; d < kChannels; ++d) to[d] = from[d];
}
template <int kChannels, typename T>
inline void clear_row(T* to) {
  T zero;
  store_real(&zero, 0.0f);
  for (int d = 0; d < kChannels; ++d) to[d] = zero;
}
// A finished row: `mixed` times `factor` goes to the caller, and to `kept` what a reader of that
// would find.
template <int kChannels, typename T>
inline void close_row(T* y, float* kept, const float* mixed, float factor, bool around) {
  float row[padded(kChannels)];
  for (int d = 0; d < padded(kChannels); ++d) row[d] = mixed[d] * factor;
  round_row<T>(row, padded(kChannels));
  for (int d = 0; d < padded(kChannels); ++d) kept[d] = row[d];
  send_row<kChannels>(y, row, around);
}

// ---- working memory -----------------------------------------------------------------------------

// Working memory of the calling thread, kept for its next launch: `count` elements without values.
// Memories of different numbers are different. Large ones ask for large pages.
#if defined(HEDDLE_EMULATED)
extern "C" void* heddle_reserve(int number, unsigned long bytes);
template <typename T>
inline T* reserve(int number, Index count) {
  return static_cast<T*>(heddle_reserve(number, static_cast<unsigned long>(count) * sizeof(T)));
}
#else
class WorkingMemory {
 public:
  WorkingMemory() = default;
  WorkingMemory(const WorkingMemory&) = delete;
  WorkingMemory& operator=(const WorkingMemory&) = delete;
  ~WorkingMemory() { std::free(place_); }
  void* of(std::size_t bytes) {
    if (bytes <= size_) return place_;
    constexpr std::size_t kPage = std::size_t{1} << 21;
    const std::size_t unit = bytes >= kPage / 4 ? kPage : 4096;
    std::free(place_);
    size_ = (bytes + unit - 1) / unit * unit;
    place_ = std::aligned_alloc(unit, size_);
    if (place_ == nullptr) std::abort();  // as operator new would end a program without handlers
#if defined(__linux__)
    if (unit == kPage) madvise(place_, size_, MADV_HUGEPAGE);
#endif
    return place_;
  }

 private:
  void* place_ = nullptr;
  std::size_t size_ = 0;
};
template <typename T>
inline T* reserve(int number, Index count) {
  constexpr int kMemories = 16;
  // Rows of the same place in several memories are worked on at once: in the sets of a cache, each
  // memory begins some lines behind the one before it.
  constexpr std::size_t kApart = 17 * 64;
  static thread_local WorkingMemory memories[kMemories];
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T) + 64;
  void* const place = memories[number].of(bytes + kMemories * kApart);
  return reinterpret_cast<T*>(static_cast<char*>(place) + number * kApart);
}
#endif

// ---- slots --------------------------------------------------------------------------------------

// The slot whose position is p; 0 when a broken cache lacks it. No branch, so that it vectorises.
inline Index find_slot(const int* positions, Index slots, Index p) {
  int found = 0;
  const int wanted = static_cast<int>(p);
  for (int slot = 0; slot < static_cast<int>(slots); ++slot) {
    found = positions[slot] == wanted ? slot : found;
  }
  return found;
}
// 1 when the list has the position, else 0.
inline Index holds_position(const Index* list, Index count, Index p) {
  Index found = 0;
  for (Index e = 0; e < count; ++e) found |= list[e] == p ? 1 : 0;
  return found;
}

}  // namespace heddle

#include "codegen/cpu/cpu_gated.hpp"
#include "codegen/cpu/cpu_lattice.hpp"
#include "codegen/cpu/cpu_matrix.hpp"
#include "codegen/cpu/cpu_key_gates.hpp"
#include "codegen/cpu/cpu_short.hpp"
