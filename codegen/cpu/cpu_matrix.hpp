// SPDX-License-Identifier: Apache-2.0
// Matrix states on cpu, S_i = gate_i S_{i-1} + k_i x_i^T and y_i = q_i^T S_i, by runs of rows: with
// D_ij = gate_{j+1} ... gate_i, S the state before the run and E_i the product of the gates up to
// row i,
//   Y = E (Q S) + (D . Q K^T) X    and afterwards    S := E_last S + K^T diag(D_last) X,
// so that a number of the state is loaded once for several rows. Every gate is allowed, also 0: no
// D is a quotient. Part of the prelude's text, at its end.
#pragma once

#include "codegen/cpu/cpu_prelude.hpp"

namespace heddle {

constexpr int kMatrixRows = 16;
constexpr int kMostStateRows = 256;

// Vectors of channels that are worked on at once, and rows: a register for each pair.
constexpr int kMatrixVectors = kMostLanes > kLanes ? 4 : 2;
constexpr int kMatrixGroup = 4;

// decays[i * kMatrixRows + j] = D_ij, 0 for j > i; entering[i] = E_i. Behind the last row as if all
// gates were 1.
inline void matrix_decays(float* decays, float* entering, const float* gate, Index stride,
                          Index rows) {
  float row[kMatrixRows];
  for (float& value : row) value = 0.0f;
  float all = 1.0f;
  for (int i = 0; i < kMatrixRows; ++i) {
    const float here = i < rows ? gate[i * stride] : 1.0f;
    for (float& value : row) value = value * here;
    row[i] = 1.0f;
    all = all * here;
    entering[i] = all;
    for (int j = 0; j < kMatrixRows; ++j) decays[i * kMatrixRows + j] = row[j];
  }
}

// Scores are vectors over the rows of a run, so many of them summed at once.
using MatrixLanes = Floats<kMostLanes>;
constexpr int kMatrixParts = kMatrixRows / kMostLanes;
constexpr int kScoreGroup = kMostLanes / 2;

// sums[i] += the sum over d of rows[i * stride + d] * row d of `columns`.
HEDDLE_INLINE void add_scores(MatrixLanes (*sums)[kMatrixParts], const float* rows, Index stride,
                              const float* columns, Index count) {
  for (Index d = 0; d < count; ++d) {
#pragma GCC unroll 8
    for (int part = 0; part < kMatrixParts; ++part) {
      MatrixLanes column;
      load(column, columns + d * kMatrixRows + part * kMostLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kScoreGroup; ++i)
        add_product(sums[i][part], rows[i * stride + d], column);
    }
  }
}

// scores[i * kMatrixRows + j] = <q_i, k_j>; column s of `keys` has number s of all keys.
inline void matrix_scores(float* scores, const float* queries, const float* keys, Index state_dim) {
  for (int first = 0; first < kMatrixRows; first += kScoreGroup) {
    MatrixLanes sums[kScoreGroup][kMatrixParts];
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) clear(sums[i][part]);
    }
    add_scores(sums, queries + first * state_dim, state_dim, keys, state_dim);
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) {
        store(scores + (first + i) * kMatrixRows + part * kMostLanes, sums[i][part]);
      }
    }
  }
}
// weights = D . scores, in any order of rows and columns.
inline void matrix_decayed(float* weights, const float* scores, const float* decays) {
  for (int at = 0; at < kMatrixRows * kMatrixRows; ++at) weights[at] = scores[at] * decays[at];
}

// The rows of a run that an output has a part of: those up to its own, or those from its own on.
enum class MatrixSide { kEarlier, kLater };

// outputs = E (Q S) + scores X, for kVectors vectors of channels.
template <MatrixSide kSide, int kVectors, int kWidth>
HEDDLE_INLINE void matrix_outputs(float* outputs, const float* queries, const float* scores,
                                  const float* entering, const float* inputs, const float* state,
                                  Index state_dim) {
  for (int first = 0; first < kMatrixRows; first += kMatrixGroup) {
    RowLanes<kWidth> sums[kMatrixGroup][kVectors];
    // To rows from..to of the group.
    const auto add_row = [&](const float* row, const float* weights, Index apart, int from = 0,
                             int to = kMatrixGroup) {
      RowLanes<kWidth> values[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) load(values[v], row + v * kRowLanes<kWidth>);
#pragma GCC unroll 8
      for (int i = 0; i < kMatrixGroup; ++i) {
        if (i < from || i >= to) continue;
        const float weight = weights[i * apart];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) add_product(sums[i][v], weight, values[v]);
      }
    };
    for (int i = 0; i < kMatrixGroup; ++i) {
      for (int v = 0; v < kVectors; ++v) clear(sums[i][v]);
    }
    for (Index s = 0; s < state_dim; ++s) {
      add_row(state + s * kWidth, queries + first * state_dim + s, state_dim);
    }
    for (int i = 0; i < kMatrixGroup; ++i) {
      for (int v = 0; v < kVectors; ++v) scale(sums[i][v], entering[first + i]);
    }
    constexpr bool kEarlier = kSide == MatrixSide::kEarlier;
    const int begin = kEarlier ? 0 : first + kMatrixGroup, end = kEarlier ? first : kMatrixRows;
    for (int j = begin; j < end; ++j) {
      add_row(inputs + j * kWidth, scores + first * kMatrixRows + j, kMatrixRows);
    }
    // Of the group itself by name: what an input that is no number is times zero is none either.
#pragma GCC unroll 8
    for (int j = 0; j < kMatrixGroup; ++j) {
      add_row(inputs + (first + j) * kWidth, scores + first * kMatrixRows + first + j, kMatrixRows,
              kEarlier ? j : 0, kEarlier ? kMatrixGroup : j + 1);
    }
    for (int i = 0; i < kMatrixGroup; ++i) {
      for (int v = 0; v < kVectors; ++v) {
        store(outputs + (first + i) * kWidth + v * kRowLanes<kWidth>, sums[i][v]);
      }
    }
  }
}

// kRows rows of the state, whose weights stand in `keys`, and what they are times themselves in
// `left`, one number or `apart`: S := left S + sum of weights times inputs.
template <int kRows, int kVectors, int kWidth>
HEDDLE_INLINE void matrix_state_rows(float* state, const float* keys, const float* left,
                                     Index apart, const float* inputs) {
  RowLanes<kWidth> sums[kRows][kVectors];
  for (int s = 0; s < kRows; ++s) {
    for (int v = 0; v < kVectors; ++v) {
      load(sums[s][v], state + s * kWidth + v * kRowLanes<kWidth>);
      scale(sums[s][v], left[s * apart]);
    }
  }
  for (int j = 0; j < kMatrixRows; ++j) {
    RowLanes<kWidth> values[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) load(values[v], inputs + j * kWidth + v * kRowLanes<kWidth>);
#pragma GCC unroll 8
    for (int s = 0; s < kRows; ++s) {
      const float weight = keys[s * kMatrixRows + j];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) add_product(sums[s][v], weight, values[v]);
    }
  }
  for (int s = 0; s < kRows; ++s) {
    for (int v = 0; v < kVectors; ++v) {
      store(state + s * kWidth + v * kRowLanes<kWidth>, sums[s][v]);
    }
  }
}

// All rows of the state, for kVectors vectors of channels.
template <int kVectors, int kWidth>
HEDDLE_INLINE void matrix_state(float* state, const float* keys, const float* left, Index apart,
                                const float* inputs, Index state_dim) {
  const Index whole = state_dim / kMatrixGroup * kMatrixGroup;
  for (Index s = 0; s < whole; s += kMatrixGroup) {
    matrix_state_rows<kMatrixGroup, kVectors, kWidth>(state + s * kWidth, keys + s * kMatrixRows,
                                                      left + s * apart, apart, inputs);
  }
  for (Index s = whole; s < state_dim; ++s) {
    matrix_state_rows<1, kVectors, kWidth>(state + s * kWidth, keys + s * kMatrixRows,
                                           left + s * apart, apart, inputs);
  }
}

// part(number of vectors, first channel) for all channels of a row.
template <int kWidth, typename Part>
HEDDLE_INLINE void matrix_parts(const Part& part) {
  constexpr int kVectors = kWidth / kRowLanes<kWidth>;
  constexpr int kWhole = kVectors / kMatrixVectors * kMatrixVectors;
  for (int v = 0; v < kWhole; v += kMatrixVectors) {
    part(std::integral_constant<int, kMatrixVectors>(), v * kRowLanes<kWidth>);
  }
  if constexpr (kWhole < kVectors) {
    part(std::integral_constant<int, kVectors - kWhole>(), kWhole * kRowLanes<kWidth>);
  }
}

// Number j of every column times factors[j].
inline void scale_columns(float* columns, const float* factors, Index count) {
  for (Index s = 0; s < count; ++s) {
    for (int j = 0; j < kMatrixRows; ++j) columns[s * kMatrixRows + j] *= factors[j];
  }
}

// `rows` rows, at most kMatrixRows, of one head of `heads` from the state on, whose rows are
// padded: y, and the state after them.
template <int kChannels, typename T>
inline void matrix_rows(T* y, const T* x, const T* q, const T* k, const float* gate, Index heads,
                        float* state, Index state_dim, Index rows) {
  constexpr int kWidth = padded(kChannels);
  float inputs[kMatrixRows * kWidth], outputs[kMatrixRows * kWidth];
  float queries[kMatrixRows * kMostStateRows], keys[kMatrixRows * kMostStateRows];
  float decays[kMatrixRows * kMatrixRows], scores[kMatrixRows * kMatrixRows];
  float entering[kMatrixRows];
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
  }
  matrix_decays(decays, entering, gate, heads, rows);
  matrix_scores(scores, queries, keys, state_dim);
  matrix_decayed(scores, scores, decays);
  scale_columns(keys, decays + (kMatrixRows - 1) * kMatrixRows, state_dim);
  matrix_parts<kWidth>([&](auto vectors, int at) {
    constexpr int kVectors = decltype(vectors)::value;
    matrix_outputs<MatrixSide::kEarlier, kVectors, kWidth>(outputs + at, queries, scores, entering,
                                                           inputs + at, state + at, state_dim);
    matrix_state<kVectors, kWidth>(state + at, keys, entering + kMatrixRows - 1, 0, inputs + at,
                                   state_dim);
  });
  for (Index r = 0; r < rows; ++r) {
    send_row<kChannels>(y + r * heads * kChannels, outputs + r * kWidth, false);
  }
}

}  // namespace heddle
