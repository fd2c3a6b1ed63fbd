// SPDX-License-Identifier: Apache-2.0
// A mixer over a finite field: random inputs, and the definition evaluated on them exactly. The
// counterpart of problem.hpp and reference.hpp where nothing is rounded; it shares no code with any
// kernel.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "patterns/materialize.hpp"
#include "runtime/emulator/finite_field.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

// The inputs of `sizes.tokens` tokens from the first one on, with the names and shapes of
// codegen/manifest.hpp. Every number is uniform; coefficients beyond the end of a row are poison.
struct FieldProblem {
  WeightMode weights = WeightMode::kSoftmax;
  Sizes sizes;
  FieldElement scale;
  FieldElement gamma;
  std::map<std::string, std::vector<FieldElement>> inputs;
};
// `sizes` gives batch, tokens, heads, head_dim, state_dim and key_gates, and columns that
// coefficients have at least; `rows` must reach its tokens.
FieldProblem make_field_problem(WeightMode weights, const Sizes& sizes, const Rows& rows,
                                std::uint64_t seed);

// As runtime/reference/by_channel.hpp does it.
FieldProblem by_channel(const FieldProblem& problem);
// As by_state of runtime/reference/reference.hpp does it.
FieldProblem by_state(const FieldProblem& problem, const Rows& rows);

// y modulo p, [batch, tokens, heads, head_dim], straight from the definition:
//   softmax  y_i = (sum over A of (1 - gamma) w_ij x_j + sum over B of gamma w_ij y_j) / (sum of
//            these weights), w_ij = g^(s_ij), s_ij = scale q_i . k_j modulo q; 0 without entries
//   given    y_i = sum of a_ij x_j + sum of b_ij y_j, entries in descending order of position
//   gated    the same in each channel, with coefficients of its own
//   linear   state_i = gate_i state_(i-1) + k_i x_i^T, y_i = q_i^T state_i, where gate_i is a
//   number
//            or, with key_gates, a diagonal matrix
//   matrix   state_i = sum over A of k_j x_j^T + sum of b_ij state_j, y_i = q_i^T state_i
std::vector<std::uint64_t> field_output(const FieldProblem& problem, const Rows& rows);

// Of matrix states: what field_output of by_state says they are after each token,
// [batch, tokens, heads, state_dim, head_dim], and y from them.
std::vector<std::uint64_t> field_states(const FieldProblem& problem, const Rows& rows);
std::vector<std::uint64_t> read_states(const FieldProblem& problem,
                                       const std::vector<std::uint64_t>& states);

// The linear state modulo p after the first `tokens` tokens, [batch, heads, state_dim, head_dim].
std::vector<std::uint64_t> field_state(const FieldProblem& problem, std::int64_t tokens);

// The degree of the definition as a polynomial, of cross-multiplied quotients for softmax: a text
// whose results have no larger degree and differ from the definition's agrees with them on random
// inputs with probability at most degree / q (Schwartz and Zippel; the smaller field decides).
// For softmax this holds for sequences of up to head_dim tokens, whose logits are independent.
std::int64_t field_degree(WeightMode weights, std::int64_t tokens);

}  // namespace heddle
