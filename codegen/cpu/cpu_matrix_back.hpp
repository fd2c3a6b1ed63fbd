// SPDX-License-Identifier: Apache-2.0
// Backward through matrix states on cpu, by the runs of rows of cpu_matrix.hpp. With D_ij, E_i and
// S of a run as there, H the gradient of the state behind it, times the gates that follow, and
// F_i = D_last,i:
//   dQ = E (dY S^T) + (D . dY X^T) K,    dK = F (X H^T) + (D . dY X^T)^T Q,
//   dX = F (K H) + (D . Q K^T)^T dY,     and afterwards  H := E_last H + Q^T diag(E) dY.
// dgate_i = <G_i, S_{i-1}> sums over row i and those behind it, and what comes from behind the run:
//   sum over t of D_ti R_i[t] + F_i R_i,  R_0[t] = <q_t, S dy_t>,  R_0 = <H, S>,
//   R_{i+1}[t] = gate_i R_i[t] + <q_t, k_i> <dy_t, x_i>,  R_{i+1} = gate_i R_i + <k_i, H x_i>,
// so that every gate is allowed here, too. Part of cpu_gradients.hpp's text, at its end.
#pragma once

#include "codegen/cpu/cpu_gradients.hpp"

namespace heddle {

// ---- rows and columns ---------------------------------------------------------------------------

// to[c * to_stride + r] = from[r * from_stride + c], for kLanes rows and columns.
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 12) && !defined(HEDDLE_PLAIN_LANES)
HEDDLE_INLINE void turn_square(float* to, Index to_stride, const float* from, Index from_stride) {
  Lanes rows[8];
  for (int r = 0; r < 8; ++r) load(rows[r], from + r * from_stride);
  Lanes::Register pairs[8], fours[8];  // of rows
  for (int i = 0; i < 8; i += 2) {
    const auto a = rows[i].lane, b = rows[i + 1].lane;
    pairs[i] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int half = 0; half < 2; ++half) {
      const auto a = pairs[i + half], b = pairs[i + 2 + half];
      fours[i + 2 * half] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
      fours[i + 2 * half + 1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int c = 0; c < 4; ++c) {
    const auto a = fours[c], b = fours[c + 4];
    store(to + c * to_stride, Lanes{__builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)});
    store(to + (c + 4) * to_stride,
          Lanes{__builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)});
  }
}
#else
HEDDLE_INLINE void turn_square(float* to, Index to_stride, const float* from, Index from_stride) {
  for (int r = 0; r < kLanes; ++r) {
    for (int c = 0; c < kLanes; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
}
#endif
// to[c * kRows + r] = from[r * kColumns + c].
template <int kRows, int kColumns>
inline void turn(float* to, const float* from) {
  for (int r = 0; r < kRows; r += kLanes) {
    for (int c = 0; c < kColumns; c += kLanes) {
      turn_square(to + c * kRows + r, kRows, from + r * kColumns + c, kColumns);
    }
  }
}

// Rows of the caller's, `stride` apart and zero behind the last, and the same turned. Those of the
// run before are asked for.
template <int kChannels, typename T>
inline void keep_matrix_rows(float* rows, float* columns, const T* from, Index stride,
                             Index count) {
  constexpr int kWidth = padded(kChannels);
  for (Index r = 0; r < kMatrixRows; ++r) {
    if (r < count) {
      prefetch_row<kChannels>(from + (r - kMatrixRows) * stride);
      keep_row<kChannels>(rows + r * kWidth, from + r * stride);
    } else {
      zero_row<kWidth>(rows + r * kWidth);
    }
  }
  turn<kMatrixRows, kWidth>(columns, rows);
}
// And back to the caller.
template <int kChannels, typename T>
inline void send_columns(T* to, Index stride, const float* columns, Index count) {
  constexpr int kWidth = padded(kChannels);
  float rows[kMatrixRows * kWidth];
  turn<kWidth, kMatrixRows>(rows, columns);
  for (Index r = 0; r < count; ++r) {
    send_row<kChannels>(to + r * stride, rows + r * kWidth, false);
  }
}

// ---- states -------------------------------------------------------------------------------------

// The state before a whole run becomes the one behind it. States have padded(kStates) rows, zeros
// behind the last.
template <int kChannels, int kStates, typename T>
inline void matrix_advance(float* state, const T* x, const T* k, const float* gate, Index heads) {
  constexpr int kWidth = padded(kChannels), kDepth = padded(kStates);
  float inputs[kMatrixRows * kWidth], keys[kMatrixRows * kDepth], columns[kMatrixRows * kDepth];
  for (Index r = 0; r < kMatrixRows; ++r) {
    prefetch_row<kChannels>(x + (r + kMatrixRows) * heads * kChannels);
    keep_row<kChannels>(inputs + r * kWidth, x + r * heads * kChannels);
    prefetch_row<kStates>(k + (r + kMatrixRows) * heads * kStates);
    keep_row<kStates>(keys + r * kDepth, k + r * heads * kStates);
  }
  turn<kMatrixRows, kDepth>(columns, keys);
  float decays[kMatrixRows * kMatrixRows], entering[kMatrixRows];
  matrix_decays(decays, entering, gate, heads, kMatrixRows);
  scale_columns(columns, decays + (kMatrixRows - 1) * kMatrixRows, kDepth);
  matrix_parts<kWidth>([&](auto vectors, int at) {
    matrix_state<decltype(vectors)::value, kWidth>(state + at, columns, entering + kMatrixRows - 1,
                                                   0, inputs + at, kDepth);
  });
}

// ---- gradients ----------------------------------------------------------------------------------

// slopes[s * kMatrixRows + i] = factors[i] <row s of the state, column i of `columns`> + the sum
// over j of others[s * kMatrixRows + j] * weights[j * kMatrixRows + i]; overlaps[i] is the sum over
// s of own[s * kMatrixRows + i] times the first product.
template <int kDepth, int kWidth>
inline void matrix_slopes(float* slopes, float* overlaps, const float* state, const float* columns,
                          const float* own, const float* factors, const float* others,
                          const float* weights) {
  MatrixLanes overlap[kMatrixParts];
  for (int part = 0; part < kMatrixParts; ++part) clear(overlap[part]);
  for (int s = 0; s < kDepth; s += kScoreGroup) {
    MatrixLanes sums[kScoreGroup][kMatrixParts];
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) clear(sums[i][part]);
    }
    add_scores(sums, state + s * kWidth, kWidth, columns, kWidth);
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) {
        MatrixLanes lanes;
        load(lanes, own + (s + i) * kMatrixRows + part * kMostLanes);
        add_product(overlap[part], lanes, sums[i][part]);
        load(lanes, factors + part * kMostLanes);
        scale(sums[i][part], lanes);
      }
    }
    add_scores(sums, others + s * kMatrixRows, kMatrixRows, weights, kMatrixRows);
    for (int i = 0; i < kScoreGroup; ++i) {
      for (int part = 0; part < kMatrixParts; ++part) {
        store(slopes + (s + i) * kMatrixRows + part * kMostLanes, sums[i][part]);
      }
    }
  }
  for (int part = 0; part < kMatrixParts; ++part) {
    store(overlaps + part * kMostLanes, overlap[part]);
  }
}

// <first, second> of two states.
template <int kCount>
inline float matrix_overlap(const float* first, const float* second) {
  MatrixLanes sums[4];
  for (MatrixLanes& sum : sums) clear(sum);
  for (int at = 0; at < kCount; at += 4 * kMostLanes) {
#pragma GCC unroll 8
    for (int i = 0; i < 4; ++i) {
      add_products(sums[i], first + at + i * kMostLanes, second + at + i * kMostLanes);
    }
  }
  add(sums[0], sums[2]);
  add(sums[1], sums[3]);
  add(sums[0], sums[1]);
  float sum;
  sum_lanes(&sum, folded(sums[0]));
  return sum;
}

// later[i * kMatrixRows + t] = D_ti, and likewise of the products <k_i, q_t> and <x_i, dy_t>;
// reads[t] = R_0[t], writes[i] = <k_i, H x_i> and behind = R_0.
inline void matrix_gates(float* dgate, const float* gate, Index stride, Index rows,
                         const float* later, const float* key_products, const float* input_products,
                         const float* leaving, const float* reads, const float* writes,
                         float behind) {
  MatrixLanes rest[kMatrixParts];
  for (int part = 0; part < kMatrixParts; ++part) load(rest[part], reads + part * kMostLanes);
  for (Index i = 0; i < rows; ++i) {
    const float here = gate[i * stride];
    MatrixLanes total;
    clear(total);
    for (int part = 0; part < kMatrixParts; ++part) {
      const Index at = i * kMatrixRows + part * kMostLanes;
      MatrixLanes lanes, factors;
      load(lanes, later + at);
      add_product(total, lanes, rest[part]);
      scale(rest[part], here);
      load(lanes, key_products + at);
      load(factors, input_products + at);
      add_product(rest[part], lanes, factors);
    }
    float sum;
    sum_lanes(&sum, folded(total));
    dgate[i * stride] = sum + leaving[i] * behind;
    behind = here * behind + writes[i];
  }
}

// `rows` rows, at most kMatrixRows, of one head of `heads`: their gradients, from the state before
// them, and `slope`, the gradient of that behind them, becomes that of the one before them, both
// times the gates that follow.
template <int kChannels, int kStates, typename T>
inline void matrix_back(T* dq, T* dk, T* dx, float* dgate, const T* q, const T* k, const T* x,
                        const T* dy, const float* gate, Index heads, const float* state,
                        float* slope, Index rows) {
  constexpr int kWidth = padded(kChannels), kDepth = padded(kStates);
  constexpr int kSquare = kMatrixRows * kMatrixRows;
  const Index key_stride = heads * kStates, stride = heads * kChannels;
  float keys[kMatrixRows * kDepth], key_columns[kMatrixRows * kDepth];
  float queries[kMatrixRows * kDepth], query_columns[kMatrixRows * kDepth];
  float inputs[kMatrixRows * kWidth], input_columns[kMatrixRows * kWidth];
  float changes[kMatrixRows * kWidth], change_columns[kMatrixRows * kWidth];
  keep_matrix_rows<kStates>(keys, key_columns, k, key_stride, rows);
  keep_matrix_rows<kStates>(queries, query_columns, q, key_stride, rows);
  keep_matrix_rows<kChannels>(inputs, input_columns, x, stride, rows);
  keep_matrix_rows<kChannels>(changes, change_columns, dy, stride, rows);

  float decays[kSquare], later[kSquare], entering[kMatrixRows];
  matrix_decays(decays, entering, gate, heads, rows);
  turn<kMatrixRows, kMatrixRows>(later, decays);
  const float* const leaving = decays + (kMatrixRows - 1) * kMatrixRows;
  float key_products[kSquare], input_products[kSquare];
  matrix_scores(key_products, keys, query_columns, kDepth);
  matrix_scores(input_products, inputs, change_columns, kWidth);

  float slopes[kMatrixRows * kDepth], reads[kMatrixRows], writes[kMatrixRows];
  float weights[kSquare], turned[kSquare];
  matrix_decayed(weights, input_products, later);
  matrix_slopes<kDepth, kWidth>(slopes, reads, state, change_columns, query_columns, entering,
                                key_columns, weights);
  send_columns<kStates>(dq, key_stride, slopes, rows);
  turn<kMatrixRows, kMatrixRows>(turned, weights);
  matrix_slopes<kDepth, kWidth>(slopes, writes, slope, input_columns, key_columns, leaving,
                                query_columns, turned);
  send_columns<kStates>(dk, key_stride, slopes, rows);
  matrix_gates(dgate, gate, heads, rows, later, key_products, input_products, leaving, reads,
               writes, matrix_overlap<kDepth * kWidth>(slope, state));

  float outputs[kMatrixRows * kWidth];
  matrix_decayed(weights, key_products, later);
  scale_columns(query_columns, entering, kDepth);
  matrix_parts<kWidth>([&](auto vectors, int at) {
    constexpr int kVectors = decltype(vectors)::value;
    matrix_outputs<MatrixSide::kLater, kVectors, kWidth>(outputs + at, keys, weights, leaving,
                                                         changes + at, slope + at, kDepth);
    matrix_state<kVectors, kWidth>(slope + at, query_columns, entering + kMatrixRows - 1, 0,
                                   changes + at, kDepth);
  });
  for (Index r = 0; r < rows; ++r) {
    send_row<kChannels>(dx + r * stride, outputs + r * kWidth, false);
  }
}

}  // namespace heddle
