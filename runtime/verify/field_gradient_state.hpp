// SPDX-License-Identifier: Apache-2.0
// The two states of a backward launch over the finite field: the counterpart of
// runtime/reference/gradient_state.hpp, whose slots it takes.
#pragma once

#include <vector>

#include "codegen/manifest.hpp"
#include "runtime/reference/gradient_state.hpp"
#include "runtime/verify/field_gradients.hpp"
#include "runtime/verify/launch.hpp"

namespace heddle {

struct FieldGradientState {
  FieldState state;
  Sizes launch;  // tokens behind the start, and slots
  FieldBuffers
      buffers;  // by their whole names; dinitial_* is poison, as are gradients of free slots
  std::vector<StateRows> sides;

  // `y` is of all tokens. There are `spare` slots more than needed, for `longest` tokens where the
  // problem has fewer.
  static Result<FieldGradientState> draw(const Manifest& manifest, const Rows& rows,
                                         const FieldProblem& problem,
                                         const std::vector<std::uint64_t>& y, std::int64_t start,
                                         std::int64_t spare, std::int64_t longest,
                                         std::uint64_t seed);
};

}  // namespace heddle
