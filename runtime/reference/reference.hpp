// SPDX-License-Identifier: Apache-2.0
// The float64 oracle: Y = (I - B)^-1 A X row by row, straight from the definition, with no code in
// common with any kernel. Inputs are taken as stored, so the oracle sees what the kernel sees; y
// is never rounded. The only user of Eigen besides the baselines.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "patterns/materialize.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

// The inputs of one batch and head as float64, row-major [tokens, dimension].
struct HeadInputs {
  WeightMode weights = WeightMode::kSoftmax;  // not kGated: see by_channel.hpp
  std::int64_t tokens = 0;
  std::int64_t head_dim = 0;
  std::int64_t query_dim = 0;  // of q and k: head_dim, or state_dim for linear and matrix
  std::int64_t gates = 1;      // of a token: one, or for linear one for each row of the state
  std::int64_t width_a = 0;
  std::int64_t width_b = 0;
  double scale = 1.0;
  double gamma = 0.5;
  std::vector<double> q, k, x, coef_a, coef_b, gate;
};
HeadInputs head_inputs(const Problem& problem, std::int64_t batch, std::int64_t head);

// A[i, j] and B[i, j] over the positions of row i, ascending as for_each_position visits them.
//   softmax: A weighs (1 - gamma) exp(s_ij) and B gamma exp(s_ij), over their joint sum,
//            s_ij = scale q_i . k_j; a row without entries has no coefficients,
//            and 0 < gamma < 1.
//   given:   entry e of the arrays is the e-th position in descending order.
struct RowCoefficients {
  std::vector<double> a;
  std::vector<double> b;
};
RowCoefficients row_coefficients(const HeadInputs& inputs, const Rows& rows, std::int64_t i);

// What matrix states mean: given weights on state_dim * head_dim channels, the elements of a state
// row by row, with k_i x_i^T for x_i and 1 for every entry of A; its outputs are the states.
HeadInputs by_state(const HeadInputs& inputs, const Rows& rows);
// The columns of a state have nothing to do with each other. Runs solve(first, inputs) on as many
// at once, from `first` on, as have room for the states after all tokens; their x is these
// columns'.
void by_columns(const HeadInputs& inputs,
                const std::function<void(std::int64_t, const HeadInputs&)>& solve);

// The gates of token i, from 0, for each row of the state.
std::vector<double> row_gates(const HeadInputs& inputs, std::int64_t i);

// y of one head, [tokens, head_dim]. For linear weights, state_i = k_i x_i^T + gate_i state_(i-1)
// and y_i = q_i^T state_i, where gate_i is a number or a diagonal matrix; the final state goes to
// *state, [state_dim, head_dim], if given. For matrix states, y_i = q_i^T state_i, and those of the
// tokens `kept` go there, [kept, state_dim, head_dim].
std::vector<double> reference_head(const HeadInputs& inputs, const Rows& rows,
                                   std::vector<double>* state = nullptr,
                                   const std::vector<std::int64_t>& kept = {});

struct ReferenceOutput {
  std::vector<double> y;  // [batch, tokens, heads, head_dim]
  // linear: after the last token, [batch, heads, state_dim, head_dim]; matrix: after each of
  // `kept`, [batch, kept, heads, state_dim, head_dim]
  std::vector<double> state;
};
// All heads, spread over `threads` threads.
ReferenceOutput reference_output(const Problem& problem, const Rows& rows, int threads = 1,
                                 const std::vector<std::int64_t>& kept = {});

// The linear state after the first `tokens` tokens, [batch, heads, state_dim, head_dim].
std::vector<double> reference_state(const Problem& problem, std::int64_t tokens);

// The gradients of sum(dy * y) for one head. With lambda = (I - B)^-T dy: dx = A^T lambda,
// dA_ij = lambda_i . x_j, dB_ij = lambda_i . y_j. For linear weights, with
// G_i = q_i dy_i^T + gate_(i+1) G_(i+1), the gradient of state_i: dq_i = state_i dy_i,
// dk_i = G_i x_i, dx_i = G_i^T k_i, dgate_i = <G_i, state_(i-1)>. For matrix states the same, with
// lambda of by_state for G where q_i dy_i^T is its dy, and dB of by_state.
struct HeadGradients {
  std::vector<double> dx, dq, dk;  // dq and dk for softmax, linear and matrix
  // Of tokens that were there before: what is named dx and dk by their inputs, as A reads them, and
  // these by their outputs and by their keys as B reads them.
  std::vector<double> dy, dk_b;
  // For given, and dcoef_b for matrix, as the coefficients; 0 beyond a row's end.
  std::vector<double> dcoef_a, dcoef_b;
  std::vector<double> dgate;   // for linear
  std::vector<double> dstate;  // of the matrix state that a linear launch begins with
};
// A state in between: the first `start` tokens are numbers that are given, inputs and outputs
// alike, and whatever is kept of a token after the last one has a gradient of its own, by its
// input, its output, and its key as A and as B keep it, [tokens, head_dim] each. `dy` is 0 up to
// `start`. Of linear weights a matrix is kept instead, [state_dim, head_dim].
struct HeadState {
  std::int64_t start = 0;
  std::vector<double> dx, dy, dk, dk_b;
  std::vector<double> dstate;
};
HeadGradients reference_gradients(const HeadInputs& inputs, const Rows& rows,
                                  const std::vector<double>& dy, const HeadState* state = nullptr);
// What the gradients would be if nothing cancelled: every product and every difference on the way
// by its absolute value, the weights as they are. Rounding errors are of this size times 2^-24.
HeadGradients gradient_magnitudes(const HeadInputs& inputs, const Rows& rows,
                                  const std::vector<double>& dy, const HeadState* state = nullptr);

}  // namespace heddle
