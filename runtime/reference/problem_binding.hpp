// SPDX-License-Identifier: Apache-2.0
// From a problem to the arguments of one launch, and what the launch has to do at the least.
#pragma once

#include "codegen/manifest.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

// One buffer per buffer argument of `entry`, by name, for tokens (start, start + tokens] of the
// problem: slices of the inputs, a poisoned y, for backward poisoned gradients and scratch, and
// copies of `state` (as make_state names it) under initial_ and cache_, poisoned ones under final_,
// or what `state` has under the whole name.
// With start = 0 the initial state is left out: a kernel gets null there. Fails where the manifest
// asks for something else.
Result<HostBuffers> bind_buffers(const KernelEntry& entry, const Problem& problem,
                                 const Sizes& sizes, const HostBuffers& state);

// Bytes that every implementation has to move for these tokens, and the flops of the definition.
// Forward: q, k, x and y once each (coefficients in place of q and k where they are given); a
// decode step reads a key and a value per entry, or, of matrix states, a state, and writes its own.
// Flops count a multiply-add twice and no exp.
struct DefinitionWork {
  std::int64_t bytes = 0;
  std::int64_t flops = 0;
};
DefinitionWork definition_work(const Problem& problem, const Rows& rows, const Sizes& sizes,
                               bool decode);
// The same for a backward pass over all tokens: q, k, x, y and dy are read and dq, dk and dx
// written once each (coefficients and their gradients in place of q, k, dq and dk where they are
// given). An entry of a row takes five multiply-adds a channel under softmax weights, two where
// they are given; a linear state is made once more, and read for dq and dgate, its gradient made
// and read twice; matrix states are made once more, too, of three multiply-adds an entry with their
// gradients and those of coefficients, and of five a token.
DefinitionWork backward_work(const Problem& problem, const Rows& rows, const Sizes& sizes);

}  // namespace heddle
