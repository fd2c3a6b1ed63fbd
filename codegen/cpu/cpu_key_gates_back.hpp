// SPDX-License-Identifier: Apache-2.0
// Backward through matrix states whose rows have gates of their own, by runs of rows. With D^s_ti,
// E^s_t and S of a run as in cpu_key_gates.hpp, H the gradient of the state behind it,
// F^s_i = D^s_last,i and M_ti = <dy_t, x_i>,
//   dq_ts = E^s_t (S dy_t)_s + the sum over i of D^s_ti k_is M_ti,
//   dk_is = F^s_i (H x_i)_s + the sum over t of D^s_ti q_ts M_ti,
//   dX = (F . K) H + W^T dY,        and afterwards  H := E_last . H + (E . Q)^T dY.
// A gate's gradient is that of cpu_matrix_back.hpp, a row of the state for itself:
//   the sum over t of D^s_ti R_i[t] + F^s_i R_i,  R_0[t] = q_ts (S dy_t)_s,  R_0 = <H_s, S_s>,
//   R_{i+1}[t] = gate_is R_i[t] + q_ts k_is M_ti,  R_{i+1} = gate_is R_i + k_is (H x_i)_s.
// Rows of a state are the lanes of all that. Part of cpu_gradients.hpp's text, at its end.
#pragma once

#include "codegen/cpu/cpu_matrix_back.hpp"

namespace heddle {

// Gates of a run of rows, one behind the last row and zero behind a row's last.
template <int kStates>
inline void keep_key_gates(float* gates, const float* from, Index stride, Index count) {
  constexpr int kDepth = padded(kStates);
  for (Index r = 0; r < kMatrixRows; ++r) {
    if (r < count) {
      keep_row<kStates>(gates + r * kDepth, from + r * stride);
    } else {
      for (int s = 0; s < kDepth; ++s) gates[r * kDepth + s] = 1.0f;
    }
  }
}

// As matrix_advance.
template <int kChannels, int kStates, typename T>
inline void matrix_advance_by_key(float* state, const T* x, const T* k, const float* gate,
                                  Index heads) {
  constexpr int kWidth = padded(kChannels), kDepth = padded(kStates);
  float inputs[kMatrixRows * kWidth], keys[kMatrixRows * kDepth], columns[kMatrixRows * kDepth];
  float gates[kMatrixRows * kDepth], left[kDepth];
  for (Index r = 0; r < kMatrixRows; ++r) {
    prefetch_row<kChannels>(x + (r + kMatrixRows) * heads * kChannels);
    keep_row<kChannels>(inputs + r * kWidth, x + r * heads * kChannels);
    prefetch_row<kStates>(k + (r + kMatrixRows) * heads * kStates);
    keep_row<kStates>(keys + r * kDepth, k + r * heads * kStates);
  }
  keep_key_gates<kStates>(gates, gate, heads * kStates, kMatrixRows);
  for (float& factor : left) factor = 1.0f;
  for (Index r = kMatrixRows - 1; r >= 0; --r) {
    for (int s = 0; s < kDepth; ++s) keys[r * kDepth + s] *= left[s];
    for (int s = 0; s < kDepth; ++s) left[s] *= gates[r * kDepth + s];
  }
  turn<kMatrixRows, kDepth>(columns, keys);
  matrix_parts<kWidth>([&](auto vectors, int at) {
    matrix_state<decltype(vectors)::value, kWidth>(state + at, columns, left, 1, inputs + at,
                                                   kDepth);
  });
}

// products[j * kDepth + s] = <row s of the state, column j of `columns`>.
template <int kDepth, int kWidth>
inline void key_products(float* products, const float* state, const float* columns) {
  float turned[kDepth * kMatrixRows];
  for (int s = 0; s < kDepth; s += kScoreGroup) {
    MatrixLanes sums[kScoreGroup][kMatrixParts];
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) clear(sums[i][part]);
    }
    add_scores(sums, state + s * kWidth, kWidth, columns, kWidth);
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) {
        store(turned + (s + i) * kMatrixRows + part * kMostLanes, sums[i][part]);
      }
    }
  }
  turn<kDepth, kMatrixRows>(products, turned);
}

// Rows of a run by rows of a state, all kDepth apart.
struct KeyRun {
  float *queries, *keys;  // become E . Q and F . K
  const float* gates;
  float *reads, *writes;  // S dy_t and H x_i; become dq and dk
  float* behind;          // <H_s, S_s>; becomes E_last
  float* dgate;
};

// All of it but dX and H; weights[i * kMatrixRows + t] = W_ti, and likewise of M.
template <int kDepth>
inline void key_gradients(const KeyRun& run, float* weights, const float* input_products,
                          Index rows) {
  using Values = RowLanes<kDepth>;
  Values scores[kMatrixRows][kMatrixRows];
  for (auto& row : scores) {
    for (Values& score : row) clear(score);
  }
  for (int s = 0; s < kDepth; s += kRowLanes<kDepth>) {
    const auto at = [s](Index row) { return row * kDepth + s; };
    Values slopes[kMatrixRows], rest[kMatrixRows], behind;
    for (Index t = 0; t < kMatrixRows; ++t) {
      clear(slopes[t]);
      clear(rest[t]);
      add_products(rest[t], run.queries + at(t), run.reads + at(t));
    }
    load(behind, run.behind + s);
    for (Index i = 0; i < rows; ++i) {
      Values key, gate, write, decay, slope, of_gate;
      load(key, run.keys + at(i));
      load(gate, run.gates + at(i));
      load(write, run.writes + at(i));
      fill(decay, 1.0f);
      clear(slope);
      clear(of_gate);
      for (Index t = i; t < rows; ++t) {
        const float product = input_products[i * kMatrixRows + t];
        Values query, left = key, both;
        load(query, run.queries + at(t));
        if (t > i) {
          Values next;
          load(next, run.gates + at(t));
          scale(decay, next);
        }
        add_product(of_gate, decay, rest[t]);
        clear(both);
        add_product(both, query, key);
        scale(rest[t], gate);
        add_product(rest[t], product, both);
        scale(left, decay);
        add_product(slopes[t], product, left);
        add_product(scores[i][t], query, left);
        scale(query, decay);
        add_product(slope, product, query);
      }
      add_product(of_gate, decay, behind);
      store(run.dgate + at(i), of_gate);
      scale(behind, gate);
      add_product(behind, key, write);
      add_product(slope, decay, write);
      store(run.writes + at(i), slope);
      scale(key, decay);
      store(run.keys + at(i), key);
    }
    Values entering;
    fill(entering, 1.0f);
    for (Index t = 0; t < kMatrixRows; ++t) {
      Values gate, query, read;
      load(gate, run.gates + at(t));
      scale(entering, gate);
      load(query, run.queries + at(t));
      scale(query, entering);
      store(run.queries + at(t), query);
      load(read, run.reads + at(t));
      add_product(slopes[t], entering, read);
      store(run.reads + at(t), slopes[t]);
    }
    store(run.behind + s, entering);
  }
  for (int i = 0; i < kMatrixRows; ++i) {
    for (int t = 0; t < kMatrixRows; ++t) {
      sum_lanes(weights + i * kMatrixRows + t, folded(scores[i][t]));
    }
  }
}

// As matrix_back, with a gate and a gradient of it for each key.
template <int kChannels, int kStates, typename T>
inline void matrix_back_by_key(T* dq, T* dk, T* dx, float* dgate, const T* q, const T* k,
                               const T* x, const T* dy, const float* gate, Index heads,
                               const float* state, float* slope, Index rows) {
  constexpr int kWidth = padded(kChannels), kDepth = padded(kStates);
  constexpr int kSquare = kMatrixRows * kMatrixRows;
  const Index key_stride = heads * kStates, stride = heads * kChannels;
  float keys[kMatrixRows * kDepth], queries[kMatrixRows * kDepth], columns[kMatrixRows * kDepth];
  float inputs[kMatrixRows * kWidth], input_columns[kMatrixRows * kWidth];
  float changes[kMatrixRows * kWidth], change_columns[kMatrixRows * kWidth];
  float gates[kMatrixRows * kDepth], gate_slopes[kMatrixRows * kDepth];
  keep_matrix_rows<kStates>(keys, columns, k, key_stride, rows);
  keep_matrix_rows<kStates>(queries, columns, q, key_stride, rows);
  keep_matrix_rows<kChannels>(inputs, input_columns, x, stride, rows);
  keep_matrix_rows<kChannels>(changes, change_columns, dy, stride, rows);
  keep_key_gates<kStates>(gates, gate, key_stride, rows);

  float input_products[kSquare], weights[kSquare];
  matrix_scores(input_products, inputs, change_columns, kWidth);
  float reads[kMatrixRows * kDepth], writes[kMatrixRows * kDepth], behind[kDepth];
  key_products<kDepth, kWidth>(reads, state, change_columns);
  key_products<kDepth, kWidth>(writes, slope, input_columns);
  for (int s = 0; s < kDepth; ++s) {
    RowLanes<kWidth> sum;
    clear(sum);
    for (int d = 0; d < kWidth; d += kRowLanes<kWidth>) {
      add_products(sum, slope + s * kWidth + d, state + s * kWidth + d);
    }
    sum_lanes(behind + s, folded(sum));
  }
  key_gradients<kDepth>({queries, keys, gates, reads, writes, behind, gate_slopes}, weights,
                        input_products, rows);
  for (Index r = 0; r < rows; ++r) {
    send_row<kStates>(dq + r * key_stride, reads + r * kDepth, false);
    send_row<kStates>(dk + r * key_stride, writes + r * kDepth, false);
    send_row<kStates>(dgate + r * key_stride, gate_slopes + r * kDepth, false);
  }

  float outputs[kMatrixRows * kWidth], ones[kMatrixRows];
  for (float& one : ones) one = 1.0f;
  turn<kMatrixRows, kDepth>(columns, queries);
  matrix_parts<kWidth>([&](auto vectors, int at) {
    constexpr int kVectors = decltype(vectors)::value;
    matrix_outputs<MatrixSide::kLater, kVectors, kWidth>(outputs + at, keys, weights, ones,
                                                         changes + at, slope + at, kDepth);
    matrix_state<kVectors, kWidth>(slope + at, columns, behind, 1, changes + at, kDepth);
  });
  for (Index r = 0; r < rows; ++r) {
    send_row<kChannels>(dx + r * stride, outputs + r * kWidth, false);
  }
}

}  // namespace heddle
