// SPDX-License-Identifier: Apache-2.0
// The exponential, and eight floats that are worked on together. Part of the prelude's text.
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

// Eight floats that are worked on together. HEDDLE_PLAIN_LANES asks for the same in plain C++.
constexpr int kLanes = 8;
#if defined(__GNUC__) && !defined(HEDDLE_PLAIN_LANES)
#define HEDDLE_INLINE inline __attribute__((always_inline))
typedef float Lanes __attribute__((vector_size(32), aligned(4), may_alias));

HEDDLE_INLINE void clear(Lanes& lanes) { lanes = Lanes{}; }
HEDDLE_INLINE void add(Lanes& sum, const Lanes& more) { sum += more; }
HEDDLE_INLINE void add_product(Lanes& sum, float weight, const float* values) {
  sum += weight * *reinterpret_cast<const Lanes*>(values);
}
HEDDLE_INLINE void add_products(Lanes& sum, const float* x, const float* y) {
  sum += *reinterpret_cast<const Lanes*>(x) * *reinterpret_cast<const Lanes*>(y);
}
HEDDLE_INLINE void add_product(Lanes& sum, float weight, const Lanes& values) {
  sum += weight * values;
}
HEDDLE_INLINE void load(Lanes& lanes, const float* values) {
  lanes = *reinterpret_cast<const Lanes*>(values);
}
HEDDLE_INLINE void store(float* values, const Lanes& lanes) {
  *reinterpret_cast<Lanes*>(values) = lanes;
}
HEDDLE_INLINE void prefetch(const void* address) { __builtin_prefetch(address); }
HEDDLE_INLINE void fill(Lanes& lanes, float value) { lanes = Lanes{} + value; }
HEDDLE_INLINE void scale(Lanes& lanes, float factor) { lanes *= factor; }
HEDDLE_INLINE void scale(Lanes& lanes, const Lanes& factors) { lanes *= factors; }
HEDDLE_INLINE void raise_to(Lanes& most, const Lanes& lanes) { most = lanes > most ? lanes : most; }
// As exponential, which a compiler does not vectorise by itself.
HEDDLE_INLINE void exponentials(Lanes& x) {
  typedef int Whole __attribute__((vector_size(32)));
  const Lanes least = Lanes{} - 87.0f;
  const Lanes bounded = x > least ? x : least;
  const Lanes shifted = bounded * 1.44269504f + 12582912.0f;
  const Lanes n = shifted - 12582912.0f;
  const Lanes r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  Lanes power;
  small_exponential(power, r);
  const Whole bits = (reinterpret_cast<Whole>(shifted) << 23) + 0x3f800000;  // 2^n
  x = power * reinterpret_cast<Lanes>(bits);
}
#else
#define HEDDLE_INLINE inline
struct Lanes {
  float lane[kLanes];
};
HEDDLE_INLINE void clear(Lanes& lanes) {
  for (float& value : lanes.lane) value = 0.0f;
}
HEDDLE_INLINE void add(Lanes& sum, const Lanes& more) {
  for (int i = 0; i < kLanes; ++i) sum.lane[i] += more.lane[i];
}
HEDDLE_INLINE void add_product(Lanes& sum, float weight, const float* values) {
  for (int i = 0; i < kLanes; ++i) sum.lane[i] += weight * values[i];
}
HEDDLE_INLINE void add_products(Lanes& sum, const float* x, const float* y) {
  for (int i = 0; i < kLanes; ++i) sum.lane[i] += x[i] * y[i];
}
HEDDLE_INLINE void add_product(Lanes& sum, float weight, const Lanes& values) {
  for (int i = 0; i < kLanes; ++i) sum.lane[i] += weight * values.lane[i];
}
HEDDLE_INLINE void load(Lanes& lanes, const float* values) {
  for (int i = 0; i < kLanes; ++i) lanes.lane[i] = values[i];
}
HEDDLE_INLINE void store(float* values, const Lanes& lanes) {
  for (int i = 0; i < kLanes; ++i) values[i] = lanes.lane[i];
}
HEDDLE_INLINE void prefetch(const void*) {}
HEDDLE_INLINE void fill(Lanes& lanes, float value) {
  for (float& lane : lanes.lane) lane = value;
}
HEDDLE_INLINE void scale(Lanes& lanes, float factor) {
  for (float& lane : lanes.lane) lane *= factor;
}
HEDDLE_INLINE void scale(Lanes& lanes, const Lanes& factors) {
  for (int i = 0; i < kLanes; ++i) lanes.lane[i] *= factors.lane[i];
}
HEDDLE_INLINE void raise_to(Lanes& most, const Lanes& lanes) {
  for (int i = 0; i < kLanes; ++i) {
    most.lane[i] = lanes.lane[i] > most.lane[i] ? lanes.lane[i] : most.lane[i];
  }
}
HEDDLE_INLINE void exponentials(Lanes& x) {
  for (float& lane : x.lane) lane = exponential(lane);
}
#endif

}  // namespace heddle
