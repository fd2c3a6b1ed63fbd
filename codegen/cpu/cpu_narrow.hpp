// SPDX-License-Identifier: Apache-2.0
// Reals as a caller stores them, float, bf16 or f16, one at a time and by rows. Part of the
// prelude's text, behind scalars.hpp and cpu_lanes.hpp.
#pragma once

#include <type_traits>

namespace heddle {

// ---- reals as they are stored -------------------------------------------------------------------

inline void store_real(float* place, float value) { *place = value; }
inline void store_real(bf16* place, float value) { *place = to_bf16(value); }
inline void store_real(f16* place, float value) { *place = to_f16(value); }

// to[d] = from[d] for d < kCount.
template <int kCount, typename T>
HEDDLE_INLINE void widen_row(float* __restrict__ to, const T* __restrict__ from) {
  for (int d = 0; d < kCount; ++d) to[d] = to_float(from[d]);
}
template <int kCount, typename T>
HEDDLE_INLINE void narrow_row(T* __restrict__ to, const float* __restrict__ from) {
  for (int d = 0; d < kCount; ++d) store_real(to + d, from[d]);
}
// A row of which single elements are read with to_float: itself.
template <int kCount, typename T>
HEDDLE_INLINE const T* readable(const T* row) {
  return row;
}
// to[d] = value(d) for d < kCount.
template <int kCount, typename T, typename Value>
HEDDLE_INLINE void store_each(T* to, const Value& value) {
  for (int d = 0; d < kCount; ++d) store_real(to + d, value(d));
}
// Of each of `count` floats what a reader would find where a T was stored, for whole Lanes.
template <typename T>
HEDDLE_INLINE void round_row(float* row, int count) {
  if constexpr (std::is_same<T, bf16>::value) {
    for (int d = 0; d < count; ++d) row[d] = rounded_to_bf16(row[d]);
  }
  if constexpr (std::is_same<T, f16>::value) {
    for (int d = 0; d < count; ++d) row[d] = rounded_to_f16(row[d]);
  }
}

#ifdef HEDDLE_CONVERTS_F16
// f16 by the processor's conversions, which no compiler makes of a loop: eight at a time.
typedef short Halves __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));
HEDDLE_INLINE void load(Lanes& lanes, const f16* values) {
  lanes.lane = __builtin_ia32_vcvtph2ps256(*reinterpret_cast<const Halves*>(values));
}
HEDDLE_INLINE void store(f16* values, const Lanes& lanes) {
  *reinterpret_cast<Halves*>(values) = __builtin_ia32_vcvtps2ph256(lanes.lane, 0);
}

template <int kCount>
HEDDLE_INLINE void widen_row(float* __restrict__ to, const f16* __restrict__ from) {
  constexpr int kWhole = kCount / kLanes * kLanes;
  for (int d = 0; d < kWhole; d += kLanes) {
    Lanes lanes;
    load(lanes, from + d);
    store(to + d, lanes);
  }
  for (int d = kWhole; d < kCount; ++d) to[d] = to_float(from[d]);
}
template <int kCount>
HEDDLE_INLINE void narrow_row(f16* __restrict__ to, const float* __restrict__ from) {
  constexpr int kWhole = kCount / kLanes * kLanes;
  for (int d = 0; d < kWhole; d += kLanes) {
    Lanes lanes;
    load(lanes, from + d);
    store(to + d, lanes);
  }
  for (int d = kWhole; d < kCount; ++d) to[d] = to_f16(from[d]);
}
template <int kCount>
struct WideRow {
  float row[kCount];
  float operator[](int d) const { return row[d]; }
};
template <int kCount>
HEDDLE_INLINE WideRow<kCount> readable(const f16* row) {
  WideRow<kCount> wide;
  widen_row<kCount>(wide.row, row);
  return wide;
}
template <int kCount, typename Value>
HEDDLE_INLINE void store_each(f16* to, const Value& value) {
  float row[kCount];
  for (int d = 0; d < kCount; ++d) row[d] = value(d);
  narrow_row<kCount>(to, row);
}
template <>
HEDDLE_INLINE void round_row<f16>(float* row, int count) {
  for (int d = 0; d < count; d += kLanes) {
    f16 stored[kLanes];
    narrow_row<kLanes>(stored, row + d);
    widen_row<kLanes>(row + d, stored);
  }
}
#endif

}  // namespace heddle
