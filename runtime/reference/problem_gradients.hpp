// SPDX-License-Identifier: Apache-2.0
// A problem for backward kernels: the inputs, the y of a forward pass and a dy, with the oracle's
// gradients of sum(dy * y).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/reference/compare.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

struct GradientProblem {
  // Its inputs hold y, as a forward pass stores it, and a normal dy as well.
  Problem problem;
  // By name ("dx", "dcoef_a", ...), in the layout of what they are gradients of.
  std::map<std::string, std::vector<double>> expected;
  std::map<std::string, std::vector<double>> magnitude;  // as gradient_magnitudes says
  // Of the launch: `problem` has all tokens, and where a launch goes on from a state, it has those
  // behind `start`. `state` then has its buffers by their whole names, dinitial_* yet to be
  // written.
  Sizes launch;
  HostBuffers state;
};
GradientProblem solve_gradients(const ProblemOptions& options, const Rows& rows, int threads = 1);

// Tokens start + 1 .. options.sizes.tokens between two states, of which the final one has a normal
// gradient; with `spare` slots more than sequences of `longest` tokens need, or of these ones where
// it is less. Fails where a layout cannot say how many.
struct StateLayouts {
  const CacheLayout& cache_a;
  const CacheLayout& cache_b;
  std::int64_t start = 0;
  std::int64_t spare = 0;
  std::int64_t longest = 0;
};
Result<GradientProblem> solve_gradients(const ProblemOptions& options, const Rows& rows,
                                        const StateLayouts& layouts);

// How far a stored gradient is from the oracle's. The relative error is taken over the whole array:
// ||g - ref|| / ||ref||, where a ||ref|| that cancellation has made smaller than a twentieth of the
// magnitude's norm counts as that.
Agreement compare_gradient(const GradientProblem& solved, const std::string& name,
                           const HostBuffer& result);
// 1e-5 in f32, 1e-2 in bf16 and 1e-3 in f16 over the whole array, plus what an uncertain logit
// costs.
Tolerance gradient_tolerance(ElementType type, double largest_logit);

}  // namespace heddle
