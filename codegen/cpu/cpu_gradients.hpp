// SPDX-License-Identifier: Apache-2.0
// What generated CPU backward kernels call besides cpu_prelude.hpp: one entry of a row at a time,
// from the row to the positions that it reads. lambda is the gradient of the row's output,
// complete.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

// sum of x[d] * y[d] over d < kLength, in eight partial sums.
template <int kLength, typename X, typename Y>
inline float dot(const X* x, const Y* y) {
  constexpr int kParts = 8;
  constexpr int kWhole = kLength / kParts * kParts;
  float partial[kParts] = {};
  for (int d = 0; d < kWhole; d += kParts) {
    for (int lane = 0; lane < kParts; ++lane) {
      partial[lane] += to_float(x[d + lane]) * to_float(y[d + lane]);
    }
  }
  for (int d = kWhole; d < kLength; ++d) partial[d - kWhole] += to_float(x[d]) * to_float(y[d]);
  float half[kParts / 2];
  for (int lane = 0; lane < kParts / 2; ++lane) half[lane] = partial[lane] + partial[lane + 4];
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

// Entries are gathered before they are summed, so that a row is read by whole groups of entries.
constexpr int kGathered = 32;

// target[d] += weight lambda[d], where the entry's value gets its gradient; returns
// <lambda, value>, the gradient of the weight.
template <int kLength, typename T>
inline float push_entry(const float* __restrict__ lambda, const T* __restrict__ value,
                        float* __restrict__ target, float weight) {
  constexpr int kParts = 8;
  constexpr int kWhole = kLength / kParts * kParts;
  float partial[kParts] = {};
  for (int d = 0; d < kWhole; d += kParts) {
    for (int lane = 0; lane < kParts; ++lane) {
      partial[lane] += lambda[d + lane] * to_float(value[d + lane]);
      target[d + lane] += weight * lambda[d + lane];
    }
  }
  for (int d = kWhole; d < kLength; ++d) {
    partial[d - kWhole] += lambda[d] * to_float(value[d]);
    target[d] += weight * lambda[d];
  }
  float half[kParts / 2];
  for (int lane = 0; lane < kParts / 2; ++lane) half[lane] = partial[lane] + partial[lane + 4];
  return (half[0] + half[2]) + (half[1] + half[3]);
}

// first[d] += a x[d] and second[d] += b y[d]. Both rows are read before either is written: the two
// often lie a multiple of 4096 bytes apart, where a load waits for an earlier store.
template <int kLength>
inline void add_two(float* __restrict__ first, float a, const float* __restrict__ x,
                    float* __restrict__ second, float b, const float* __restrict__ y) {
  constexpr int kParts = 32;
  constexpr int kWhole = kLength / kParts * kParts;
  for (int d = 0; d < kWhole; d += kParts) {
    float one[kParts];
    float two[kParts];
#pragma GCC ivdep
    for (int lane = 0; lane < kParts; ++lane) {
      one[lane] = first[d + lane] + a * x[d + lane];
      two[lane] = second[d + lane] + b * y[d + lane];
    }
#pragma GCC ivdep
    for (int lane = 0; lane < kParts; ++lane) {
      first[d + lane] = one[lane];
      second[d + lane] = two[lane];
    }
  }
  for (int d = kWhole; d < kLength; ++d) {
    first[d] += a * x[d];
    second[d] += b * y[d];
  }
}

// A row p of softmax weights backwards. With g_e = <lambda, value_e> and y = sum p_e value_e the
// scores have the gradients p_e (g_e - sum p_e' g_e') = p_e (g_e - <lambda, y>). Entries are held
// until the row is complete; a row with more of them than fit must be added a second time, when
// `again` says so.
template <typename T, int kLength>
class SoftmaxGradient {
 public:
  SoftmaxGradient(const T* query, const T* y, const float* lambda, float scale)
      : lambda_(lambda), scale_(scale), mean_(dot<kLength>(lambda, y)) {
    for (int d = 0; d < kLength; ++d) query_[d] = to_float(query[d]);
  }
  // target is where the gradient of `value` is summed, dkey that of `key`.
  void add(const T* key, const T* value, float* dkey, float* target, float factor) {
    if (count_ == kHeld) let_go();
    keys_[count_] = key;
    values_[count_] = value;
    dkeys_[count_] = dkey;
    targets_[count_] = target;
    factors_[count_] = factor;
    ++count_;
  }
  bool again() {
    weigh_held();
    weighed_ = true;
    inverse_ = total_ > 0.0f ? 1.0f / total_ : 0.0f;
    if (forgot_) count_ = 0;
    return forgot_;
  }
  void finish(T* dquery) {
    push_held();
#pragma GCC ivdep
    for (int d = 0; d < kLength; ++d) store_real(dquery + d, dquery_[d]);
  }

 private:
  static constexpr int kHeld = 128;

  void let_go() {
    if (weighed_) {
      push_held();
    } else {
      weigh_held();
      forgot_ = true;
    }
    count_ = 0;
  }
  void score_held() {
    for (int e = 0; e < count_; ++e) scores_[e] = scale_ * dot<kLength>(query_, keys_[e]);
    for (int e = count_; e < (count_ + 7) / 8 * 8; ++e) scores_[e] = factors_[e] = 0.0f;
  }
  // The held entries join the sum of weights.
  void weigh_held() {
    score_held();
    float highest = highest_;
    for (int e = 0; e < count_; ++e) highest = scores_[e] > highest ? scores_[e] : highest;
    total_ *= exponential(highest_ - highest);
    highest_ = highest;
    float weights[kHeld];
    exponentials(weights);
    for (int e = 0; e < count_; ++e) total_ += weights[e];
  }
  void exponentials(float* weights) const {
    const int padded = (count_ + 7) / 8 * 8;
#pragma GCC ivdep
    for (int e = 0; e < padded; ++e) weights[e] = factors_[e] * exponential(scores_[e] - highest_);
  }
  void push_held() {
    if (forgot_) score_held();
    float weights[kHeld];
    exponentials(weights);
    float slopes[kHeld];
    for (int e = 0; e < count_; ++e) {
      weights[e] *= inverse_;
      slopes[e] = scale_ * weights[e] * (dot<kLength>(lambda_, values_[e]) - mean_);
    }
    add_weighted<kLength>(dquery_, slopes, keys_, count_);
    for (int e = 0; e < count_; ++e) {
      add_two<kLength>(dkeys_[e], slopes[e], query_, targets_[e], weights[e], lambda_);
    }
  }

  const float* lambda_;
  float scale_;
  float mean_;
  const T* keys_[kHeld];
  const T* values_[kHeld];
  float* dkeys_[kHeld];
  float* targets_[kHeld];
  float factors_[kHeld];
  float scores_[kHeld];
  int count_ = 0;
  bool weighed_ = false;  // the sum of weights is complete
  bool forgot_ = false;   // there were more entries than can be held
  float highest_ = kLowestScore;
  float total_ = 0.0f;
  float inverse_ = 0.0f;
  float query_[kLength];
  float dquery_[kLength] = {};
};

// ---- given weights by windows -------------------------------------------------------------------

// Where row i reads i + steps[e], with steps negative and descending, lambda of a tile of rows is
// gathered from rows behind the tile: a forward pass with transposed weights. Rows are floats,
// kWidth of them, side by side.

// lambda[r] += the sum over e of weights[r - steps[e]][e] * lambda[r - steps[e]], for `count` rows
// r and those steps begin .. end - 1 that stay inside the sequence, of which the first row and
// those behind it are `left`. No step is shorter than `count`. Rows of weights are `stride` apart.
template <int kWidth, typename W>
inline void gather_windows(float* lambda, Index count, const W* weights, Index stride,
                           const Index* steps, Index begin, Index end, Index left, float* packed) {
  constexpr int kVectors = kWidth / kLanes;
  constexpr int kWhole = kVectors / 8;
  const Index column = packed_column(count);
  Index whole = begin;  // the steps that every row of the tile has
  while (whole < end && count - steps[whole] <= left) ++whole;
  constexpr Index kAtOnce = 64;
  Index ahead[kAtOnce];
  for (Index at = begin; at < whole; at += kAtOnce) {
    const Index some = whole - at < kAtOnce ? whole - at : kAtOnce;
    for (Index e = 0; e < some; ++e) {
      ahead[e] = -steps[at + e];
      const W* const from = weights + ahead[e] * stride + at + e;
      float* const to = packed + e / kWindows * column + e % kWindows;
      for (Index r = 0; r < count; ++r) to[r * kWindows] = to_float(from[r * stride]);
    }
    for (int part = 0; part < kWhole; ++part) {
      float* const channels = lambda + part * 64;
      mix_window_channels<8, kWidth>(channels, count, packed, channels, ahead, some);
    }
    if constexpr (kVectors % 8 != 0) {
      float* const channels = lambda + kWhole * 64;
      mix_window_channels<kVectors % 8, kWidth>(channels, count, packed, channels, ahead, some);
    }
  }
  for (Index e = whole; e < end && left + steps[e] > 0; ++e) {
    for (Index r = 0; r < left + steps[e]; ++r) {
      const float* const from = lambda + (r - steps[e]) * kWidth;
      const float weight = to_float(weights[(r - steps[e]) * stride + e]);
      for (int d = 0; d < kWidth; ++d) lambda[r * kWidth + d] += weight * from[d];
    }
  }
}

// lambda[steps[e]] += weights[e] * lambda[0].
template <int kWidth, typename W>
inline void push_rows(float* lambda, const W* weights, const Index* steps, Index count) {
  for (Index e = 0; e < count; ++e) {
    float* const to = lambda + steps[e] * kWidth;
    const float weight = to_float(weights[e]);
#pragma GCC ivdep
    for (int d = 0; d < kWidth; ++d) to[d] += weight * lambda[d];
  }
}

// slopes[r * stride + e] = <lambda[r], values[r + steps[e]]> for `count` rows r, the first of which
// has `before` rows before it; zero behind the last step of a row, up to `width`.
template <int kWidth, typename T>
inline void slope_windows(T* slopes, Index stride, Index width, Index count, const float* lambda,
                          const float* values, const Index* steps, Index most, Index before) {
  Index shared = 0;  // whole groups of steps that every row of the tile has
  while (shared + 8 <= most && steps[shared + 7] + before >= 0) shared += 8;
  for (Index e = 0; e < shared; e += 8) {
    for (Index r = 0; r < count; ++r) {
      float sums[8];
      score_rows<kWidth>(sums, lambda + r * kWidth, values + r * kWidth, steps + e, 8);
      for (Index i = 0; i < 8; ++i) store_real(slopes + r * stride + e + i, sums[i]);
    }
  }
  for (Index r = 0; r < count; ++r) {
    Index e = shared;
    for (; e < most && steps[e] + before + r >= 0; ++e) {
      float sum;
      score_rows<kWidth>(&sum, lambda + r * kWidth, values + r * kWidth, steps + e, 1);
      store_real(slopes + r * stride + e, sum);
    }
    for (; e < width; ++e) store_real(slopes + r * stride + e, 0.0f);
  }
}

}  // namespace heddle
