// SPDX-License-Identifier: Apache-2.0
// The exponential, and floats that are worked on together. Part of the prelude's text.
#pragma once

#include <cstring>

namespace heddle {

#ifndef HEDDLE_FIELD
// power = e^r for |r| <= log(2) / 2, of one number or several.
template <typename Real>
inline void small_exponential(Real& power, const Real& r) {
  power = r * (1.0f / 5040.0f) + 1.0f / 720.0f;
  power = power * r + 1.0f / 120.0f;
  power = power * r + 1.0f / 24.0f;
  power = power * r + 1.0f / 6.0f;
  power = power * r + 0.5f;
  power = power * r + 1.0f;
  power = power * r + 1.0f;
}
// e^x for x <= 0 within 2e-7 of its value, and e^-87 below -87, where floats turn subnormal: no
// branch, so that loops over it vectorise. x = n log 2 + r with |r| <= log(2) / 2 and a polynomial
// for e^r.
inline float exponential(float x) {
  const float bounded = x > -87.0f ? x : -87.0f;
  // Adding 1.5 2^23 leaves the nearest integer in the low bits.
  const float shifted = bounded * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float power;
  small_exponential(power, r);
  unsigned bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000u;  // 2^n
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return power * scale;
}
#else
inline float exponential(float x) { return expf(x); }
#endif

// ---- lanes --------------------------------------------------------------------------------------

// Floats that are worked on together: eight of them, or sixteen where the processor has registers
// for that many and a row is a multiple of them. HEDDLE_MOST_LANES asks for a number of one's own,
// HEDDLE_PLAIN_LANES for the same in plain C++.
constexpr int kLanes = 8;
#if defined(HEDDLE_MOST_LANES)
constexpr int kMostLanes = HEDDLE_MOST_LANES;
#elif defined(__AVX512F__)
constexpr int kMostLanes = 16;
#else
constexpr int kMostLanes = kLanes;
#endif

#if defined(__GNUC__) && !defined(HEDDLE_PLAIN_LANES)
#define HEDDLE_INLINE inline __attribute__((always_inline))
template <int kNumber>
struct Floats {
  static constexpr int kCount = kNumber;
  typedef float Register __attribute__((vector_size(4 * kNumber), aligned(4), may_alias));
  // As a template's argument Register would lose that it may lie anywhere.
  typedef float Value __attribute__((vector_size(4 * kNumber)));
  Register lane;
};

template <int kCount>
HEDDLE_INLINE void clear(Floats<kCount>& lanes) {
  lanes.lane = typename Floats<kCount>::Register{};
}
template <int kCount>
HEDDLE_INLINE void add(Floats<kCount>& sum, const Floats<kCount>& more) {
  sum.lane += more.lane;
}
template <int kCount>
HEDDLE_INLINE void load(Floats<kCount>& lanes, const float* values) {
  lanes.lane = *reinterpret_cast<const typename Floats<kCount>::Register*>(values);
}
template <int kCount>
HEDDLE_INLINE void store(float* values, const Floats<kCount>& lanes) {
  *reinterpret_cast<typename Floats<kCount>::Register*>(values) = lanes.lane;
}
template <int kCount>
HEDDLE_INLINE void add_product(Floats<kCount>& sum, float weight, const Floats<kCount>& values) {
  sum.lane += weight * values.lane;
}
template <int kCount>
HEDDLE_INLINE void add_product(Floats<kCount>& sum, const Floats<kCount>& x,
                               const Floats<kCount>& y) {
  sum.lane += x.lane * y.lane;
}
// Into the second cache: the first one has too few places for lines that are on their way, and rows
// of a head that lie a power of two apart share its sets.
HEDDLE_INLINE void prefetch(const void* address) { __builtin_prefetch(address, 0, 2); }
template <int kCount>
HEDDLE_INLINE void fill(Floats<kCount>& lanes, float value) {
  lanes.lane = typename Floats<kCount>::Register{} + value;
}
template <int kCount>
HEDDLE_INLINE void scale(Floats<kCount>& lanes, float factor) {
  lanes.lane *= factor;
}
template <int kCount>
HEDDLE_INLINE void scale(Floats<kCount>& lanes, const Floats<kCount>& factors) {
  lanes.lane *= factors.lane;
}
template <int kCount>
HEDDLE_INLINE void raise_to(Floats<kCount>& most, const Floats<kCount>& lanes) {
  most.lane = lanes.lane > most.lane ? lanes.lane : most.lane;
}
// As exponential, which a compiler does not vectorise by itself.
template <int kCount>
HEDDLE_INLINE void exponentials(Floats<kCount>& lanes) {
  typedef typename Floats<kCount>::Value Real;
  typedef int Whole __attribute__((vector_size(4 * kCount)));
  const Real x = lanes.lane, least = Real{} - 87.0f;
  const Real bounded = x > least ? x : least;
  const Real shifted = bounded * 1.44269504f + 12582912.0f;
  const Real n = shifted - 12582912.0f;
  const Real r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  Real power;
  small_exponential(power, r);
  const Whole bits = (reinterpret_cast<Whole>(shifted) << 23) + 0x3f800000;  // 2^n
  lanes.lane = power * reinterpret_cast<Real>(bits);
}
#else
#define HEDDLE_INLINE inline
template <int kNumber>
struct Floats {
  static constexpr int kCount = kNumber;
  float lane[kNumber];
};

template <int kCount>
HEDDLE_INLINE void clear(Floats<kCount>& lanes) {
  for (float& value : lanes.lane) value = 0.0f;
}
template <int kCount>
HEDDLE_INLINE void add(Floats<kCount>& sum, const Floats<kCount>& more) {
  for (int i = 0; i < kCount; ++i) sum.lane[i] += more.lane[i];
}
template <int kCount>
HEDDLE_INLINE void load(Floats<kCount>& lanes, const float* values) {
  for (int i = 0; i < kCount; ++i) lanes.lane[i] = values[i];
}
template <int kCount>
HEDDLE_INLINE void store(float* values, const Floats<kCount>& lanes) {
  for (int i = 0; i < kCount; ++i) values[i] = lanes.lane[i];
}
template <int kCount>
HEDDLE_INLINE void add_product(Floats<kCount>& sum, float weight, const Floats<kCount>& values) {
  for (int i = 0; i < kCount; ++i) sum.lane[i] += weight * values.lane[i];
}
template <int kCount>
HEDDLE_INLINE void add_product(Floats<kCount>& sum, const Floats<kCount>& x,
                               const Floats<kCount>& y) {
  for (int i = 0; i < kCount; ++i) sum.lane[i] += x.lane[i] * y.lane[i];
}
HEDDLE_INLINE void prefetch(const void*) {}
template <int kCount>
HEDDLE_INLINE void fill(Floats<kCount>& lanes, float value) {
  for (float& lane : lanes.lane) lane = value;
}
template <int kCount>
HEDDLE_INLINE void scale(Floats<kCount>& lanes, float factor) {
  for (float& lane : lanes.lane) lane *= factor;
}
template <int kCount>
HEDDLE_INLINE void scale(Floats<kCount>& lanes, const Floats<kCount>& factors) {
  for (int i = 0; i < kCount; ++i) lanes.lane[i] *= factors.lane[i];
}
template <int kCount>
HEDDLE_INLINE void raise_to(Floats<kCount>& most, const Floats<kCount>& lanes) {
  for (int i = 0; i < kCount; ++i) {
    most.lane[i] = lanes.lane[i] > most.lane[i] ? lanes.lane[i] : most.lane[i];
  }
}
template <int kCount>
HEDDLE_INLINE void exponentials(Floats<kCount>& lanes) {
  for (float& lane : lanes.lane) lane = exponential(lane);
}
#endif

// sum += weight * values, and x * y, read from memory.
template <int kCount>
HEDDLE_INLINE void add_product(Floats<kCount>& sum, float weight, const float* values) {
  Floats<kCount> read;
  load(read, values);
  add_product(sum, weight, read);
}
template <int kCount>
HEDDLE_INLINE void add_products(Floats<kCount>& sum, const float* x, const float* y) {
  Floats<kCount> first, second;
  load(first, x);
  load(second, y);
  add_product(sum, first, second);
}

using Lanes = Floats<kLanes>;
// What a row of kWidth floats is worked on in.
template <int kWidth>
using RowLanes = Floats<kWidth % kMostLanes == 0 ? kMostLanes : kLanes>;
template <int kWidth>
constexpr int kRowLanes = RowLanes<kWidth>::kCount;

}  // namespace heddle
