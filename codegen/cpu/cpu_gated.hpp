// SPDX-License-Identifier: Apache-2.0
// Rows whose channels each have weights of their own, kChannels of them an entry. Part of the
// prelude's text, at its end; rows and steps are as there.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

// ---- forward ------------------------------------------------------------------------------------

// mixed[d] += the sum over e of weights[e * kChannels + d] * row(steps[e])[d], the nearest row
// last.
template <int kChannels, typename W>
inline void mix_gated_rows(float* __restrict__ mixed, const W* __restrict__ weights,
                           const float* __restrict__ rows, const Index* __restrict__ steps,
                           Index count) {
  for (Index e = count; e-- > 0;) {
    const float* const row = rows + steps[e] * padded(kChannels);
    const auto gates = readable<kChannels>(weights + e * kChannels);
    for (int d = 0; d < kChannels; ++d) mixed[d] += to_float(gates[d]) * row[d];
  }
}
// A row of the caller's, each channel times its weight.
template <int kChannels, typename T, typename W>
inline void scale_gated_row(float* __restrict__ to, const T* __restrict__ from,
                            const W* __restrict__ weights) {
  const auto gates = readable<kChannels>(weights);
  const auto row = readable<kChannels>(from);
  for (int d = 0; d < kChannels; ++d) to[d] = to_float(gates[d]) * to_float(row[d]);
  for (int d = kChannels; d < padded(kChannels); ++d) to[d] = 0.0f;
}

// ---- backward -----------------------------------------------------------------------------------

// sums row steps[e] [d] += weights[e * kChannels + d] * row[d]. The row may be one of those that
// `sums` holds, but not one that it reads.
template <int kChannels, typename W>
inline void push_gated_rows(float* sums, const float* row, const W* weights, const Index* steps,
                            Index count) {
  float own[kChannels];
  for (int d = 0; d < kChannels; ++d) own[d] = row[d];
  for (Index e = 0; e < count; ++e) {
    float* __restrict__ const to = sums + steps[e] * padded(kChannels);
    const auto gates = readable<kChannels>(weights + e * kChannels);
    for (int d = 0; d < kChannels; ++d) to[d] += to_float(gates[d]) * own[d];
  }
}

// slopes[e * kChannels + d] = lambda[d] * row(steps[e])[d], and zero behind the last one, up to
// `width` entries.
template <int kChannels, typename T>
inline void slope_gated_rows(T* __restrict__ slopes, const float* __restrict__ lambda,
                             const float* __restrict__ rows, const Index* __restrict__ steps,
                             Index count, Index width) {
  for (Index e = 0; e < count; ++e, slopes += kChannels) {
    const float* const row = rows + steps[e] * padded(kChannels);
    store_each<kChannels>(slopes, [&](int d) { return lambda[d] * row[d]; });
  }
  for (Index e = count; e < width; ++e, slopes += kChannels) clear_row<kChannels>(slopes);
}

// A row's own input, the only one that it reads: the gradients of the input and of its weights, and
// zero behind them, up to `width` entries.
template <int kChannels, typename T>
inline void own_gated_input(T* dx, T* __restrict__ slopes, const float* __restrict__ lambda,
                            const T* __restrict__ x, const T* __restrict__ weights, Index width,
                            bool around) {
  float row[padded(kChannels)];
  const auto gates = readable<kChannels>(weights);
  for (int d = 0; d < kChannels; ++d) row[d] = to_float(gates[d]) * lambda[d];
  send_row<kChannels>(dx, row, around);
  const auto input = readable<kChannels>(x);
  store_each<kChannels>(slopes, [&](int d) { return lambda[d] * to_float(input[d]); });
  for (Index e = 1; e < width; ++e) clear_row<kChannels>(slopes + e * kChannels);
}

}  // namespace heddle
