// SPDX-License-Identifier: Apache-2.0
// Gradients over the finite field. No formula for the gradient of a mixer stands here: the
// definition of y is taken apart into sums of products, quotients and exponentials, and these are
// differentiated one at a time, so that the layer shares no derivation with any kernel.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/verify/field_problem.hpp"

namespace heddle {

// The gradients of sum(dy y) modulo p by name ("dx", "dq", "dcoef_a", ...), each in the layout of
// the input that it is the gradient of; 0 beyond the end of a row of coefficients. `y` is what
// field_output gives and `dy` has its layout. An input of a softmax is one number as a value and
// another as an exponent; d exp(s) = exp(s) ds holds for both alike, with ds a value.
using FieldGradients = std::map<std::string, std::vector<std::uint64_t>>;
FieldGradients field_gradients(const FieldProblem& problem, const Rows& rows,
                               const std::vector<std::uint64_t>& y,
                               const std::vector<std::uint64_t>& dy);

// The same for tokens behind `start`, as those before it were handed over as numbers, and what is
// kept of each token has gradients of its own by position, named as GradientsByName says; of all
// tokens, and so are the results. `dy` means nothing up to `start`. Linear weights have the final
// matrices' as "dstate", and give those of the initial ones as "dinitial_state".
struct FieldState {
  std::int64_t start = 0;
  FieldGradients handed;
};
FieldGradients field_gradients(const FieldProblem& problem, const Rows& rows,
                               const std::vector<std::uint64_t>& y,
                               const std::vector<std::uint64_t>& dy, const FieldState& state);

// The degree of the gradients as field_degree counts it.
std::int64_t field_gradient_degree(WeightMode weights, std::int64_t tokens);

}  // namespace heddle
