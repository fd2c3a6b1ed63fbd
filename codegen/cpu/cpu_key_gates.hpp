// SPDX-License-Identifier: Apache-2.0
// Matrix states whose rows have gates of their own, by the runs of rows of cpu_matrix.hpp: of row s
// of a state D^s_ij and E^s_i are products of its gates, and
//   Y = (E . Q) S + W X,  W_ij = the sum over s of q_is D^s_ij k_js,
//   and afterwards  row s of S := E^s_last times itself, and the sum over j of D^s_last,j k_js x_j.
// Part of the prelude's text, at its end.
#pragma once

#include "codegen/cpu/cpu_matrix.hpp"

namespace heddle {

// As matrix_rows, with state_dim gates for each row.
template <int kChannels, typename T>
inline void matrix_rows_by_key(T* y, const T* x, const T* q, const T* k, const float* gate,
                               Index heads, float* state, Index state_dim, Index rows) {
  constexpr int kWidth = padded(kChannels);
  float inputs[kMatrixRows * kWidth], outputs[kMatrixRows * kWidth];
  float queries[kMatrixRows * kMostStateRows], keys[kMatrixRows * kMostStateRows];
  float left[kMostStateRows], scores[kMatrixRows * kMatrixRows], ones[kMatrixRows];
  for (Index r = 0; r < kMatrixRows; ++r) {
    if (r < rows) {
      prefetch_row<kChannels>(x + (r + kMatrixRows) * heads * kChannels);
      keep_row<kChannels>(inputs + r * kWidth, x + r * heads * kChannels);
    } else {
      zero_row<kWidth>(inputs + r * kWidth);
    }
    const Index at = (r < rows ? r : rows - 1) * heads * state_dim;
    for (Index s = 0; s < state_dim; ++s) queries[r * state_dim + s] = to_float(q[at + s]);
    for (Index s = 0; s < state_dim; ++s) keys[s * kMatrixRows + r] = to_float(k[at + s]);
    ones[r] = 1.0f;
  }
  for (float& score : scores) score = 0.0f;
  // The keys become what is left of them behind the run, and queries what they read of the state.
  for (Index s = 0; s < state_dim; ++s) {
    float* const column = keys + s * kMatrixRows;
    float all = 1.0f;
    for (Index i = 0; i < kMatrixRows; ++i) {
      const float here = i < rows ? gate[i * heads * state_dim + s] : 1.0f;
      float& query = queries[i * state_dim + s];
      for (Index j = 0; j < kMatrixRows; ++j) column[j] = j < i ? column[j] * here : column[j];
      for (Index j = 0; j < kMatrixRows; ++j) scores[i * kMatrixRows + j] += query * column[j];
      all = all * here;
      query = query * all;
    }
    left[s] = all;
  }
  matrix_parts<kWidth>([&](auto vectors, int at) {
    constexpr int kVectors = decltype(vectors)::value;
    matrix_outputs<MatrixSide::kEarlier, kVectors, kWidth>(outputs + at, queries, scores, ones,
                                                           inputs + at, state + at, state_dim);
    matrix_state<kVectors, kWidth>(state + at, keys, left, 1, inputs + at, state_dim);
  });
  for (Index r = 0; r < rows; ++r) {
    send_row<kChannels>(y + r * heads * kChannels, outputs + r * kWidth, false);
  }
}

}  // namespace heddle
