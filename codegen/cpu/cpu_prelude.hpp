// SPDX-License-Identifier: Apache-2.0
// What generated CPU kernels call. C++17, standard headers only. The loops have lengths that are
// known when they are compiled and sum in an order that is the same on every machine, so that a
// compiler may vectorise them without reassociating anything.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define HEDDLE_FUNCTION inline

#include "codegen/prelude/scalars.hpp"

namespace heddle {

// e^x for x <= 0 within 2e-7 of its value, and e^-87 below -87, where floats turn subnormal: no
// branch, so that loops over it vectorise. x = n log 2 + r with |r| <= log(2) / 2 and a polynomial
// for e^r.
inline float exponential(float x) {
  const float bounded = x > -87.0f ? x : -87.0f;
  // Adding 1.5 2^23 leaves the nearest integer in the low bits.
  const float shifted = bounded * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float power = 1.0f / 5040.0f;
  power = power * r + 1.0f / 720.0f;
  power = power * r + 1.0f / 120.0f;
  power = power * r + 1.0f / 24.0f;
  power = power * r + 1.0f / 6.0f;
  power = power * r + 0.5f;
  power = power * r + 1.0f;
  power = power * r + 1.0f;
  unsigned bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000u;  // 2^n
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return power * scale;
}

// sum of x[d] * y[d] over d < kLength, in eight partial sums.
template <int kLength, typename X, typename Y>
inline float dot(const X* x, const Y* y) {
  constexpr int kLanes = 8;
  constexpr int kWhole = kLength / kLanes * kLanes;
  float partial[kLanes] = {};
  for (int d = 0; d < kWhole; d += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      partial[lane] += to_float(x[d + lane]) * to_float(y[d + lane]);
    }
  }
  for (int d = kWhole; d < kLength; ++d) partial[d - kWhole] += to_float(x[d]) * to_float(y[d]);
  float half[kLanes / 2];
  for (int lane = 0; lane < kLanes / 2; ++lane) half[lane] = partial[lane] + partial[lane + 4];
  return (half[0] + half[2]) + (half[1] + half[3]);
}

// mixed[d] += weights[0] values[0][d] + ... over kEntries entries.
template <int kEntries, int kLength, typename T>
inline void add_group(float* mixed, const float* weights, const T* const* values) {
#pragma GCC ivdep
  for (int d = 0; d < kLength; ++d) {
    float sum = mixed[d];
#pragma GCC unroll 8
    for (int e = 0; e < kEntries; ++e) sum += weights[e] * to_float(values[e][d]);
    mixed[d] = sum;
  }
}
template <int kLength, typename T>
inline void add_weighted(float* mixed, const float* weights, const T* const* values, int count) {
  int e = 0;
  for (; e + 8 <= count; e += 8) add_group<8, kLength>(mixed, weights + e, values + e);
  if (e + 4 <= count) {
    add_group<4, kLength>(mixed, weights + e, values + e);
    e += 4;
  }
  if (e + 2 <= count) {
    add_group<2, kLength>(mixed, weights + e, values + e);
    e += 2;
  }
  if (e < count) add_group<1, kLength>(mixed, weights + e, values + e);
}

inline void store_real(float* place, float value) { *place = value; }
inline void store_real(bf16* place, float value) { *place = to_bf16(value); }

// Entries are gathered before they are summed, so that a row is read by whole groups of entries.
constexpr int kGathered = 32;

// The mean of the values of a row under the weights factor * exp(scale * <query, key>), 0 for a row
// without entries. The highest score so far is subtracted from all scores, and what was summed
// before is rescaled when it rises.
template <typename T, int kLength>
class SoftmaxRow {
 public:
  SoftmaxRow(const T* query, float scale) : query_(query), scale_(scale) {}
  void add(const T* key, const T* value, float factor) {
    keys_[count_] = key;
    values_[count_] = value;
    factors_[count_] = factor;
    if (++count_ == kGathered) take_gathered();
  }
  void finish(T* y) {
    take_gathered();
    const float inverse = total_ > 0.0f ? 1.0f / total_ : 0.0f;
#pragma GCC ivdep
    for (int d = 0; d < kLength; ++d) store_real(y + d, mixed_[d] * inverse);
  }

 private:
  void take_gathered() {
    if (count_ == 0) return;
    float scores[kGathered];
    for (int e = 0; e < count_; ++e) scores[e] = scale_ * dot<kLength>(query_, keys_[e]);
    float highest = highest_;
    for (int e = 0; e < count_; ++e) highest = scores[e] > highest ? scores[e] : highest;
    const float shrink = exponential(highest_ - highest);
    highest_ = highest;
    // Whole vectors; what stands behind the last entry is not used.
    const int padded = (count_ + 7) / 8 * 8;
    for (int e = count_; e < padded; ++e) scores[e] = factors_[e] = 0.0f;
    float weights[kGathered];
#pragma GCC ivdep
    for (int e = 0; e < padded; ++e) weights[e] = factors_[e] * exponential(scores[e] - highest);
    total_ *= shrink;
    for (int e = 0; e < count_; ++e) total_ += weights[e];
#pragma GCC ivdep
    for (int d = 0; d < kLength; ++d) mixed_[d] *= shrink;
    add_weighted<kLength>(mixed_, weights, values_, count_);
    count_ = 0;
  }

  const T* query_;
  float scale_;
  const T* keys_[kGathered];
  const T* values_[kGathered];
  float factors_[kGathered];
  int count_ = 0;
  float highest_ = kLowestScore;
  float total_ = 0.0f;
  float mixed_[kLength] = {};
};

}  // namespace heddle
