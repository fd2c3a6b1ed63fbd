// SPDX-License-Identifier: Apache-2.0
// A problem for backward kernels: the inputs, the y of a forward pass and a dy, with the oracle's
// gradients of sum(dy * y).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/reference/compare.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

struct GradientProblem {
  // Its inputs hold y, as a forward pass stores it, and a normal dy as well.
  Problem problem;
  // By name ("dx", "dcoef_a", ...), in the layout of what they are gradients of.
  std::map<std::string, std::vector<double>> expected;
  std::map<std::string, std::vector<double>> magnitude;  // as gradient_magnitudes says
};
GradientProblem solve_gradients(const ProblemOptions& options, const Rows& rows, int threads = 1);

// How far a stored gradient is from the oracle's. The relative error is taken over the whole array:
// ||g - ref|| / ||ref||, where a ||ref|| that cancellation has made smaller than a twentieth of the
// magnitude's norm counts as that.
Agreement compare_gradient(const GradientProblem& solved, const std::string& name,
                           const HostBuffer& result);
// 1e-5 in f32 and 1e-2 in bf16, over the whole array, plus what an uncertain logit costs.
Tolerance gradient_tolerance(ElementType type, double largest_logit);

}  // namespace heddle
