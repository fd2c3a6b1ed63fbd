// SPDX-License-Identifier: Apache-2.0
// What a user would write for the backward pass without heddle: Eigen's transposed sparse
// triangular solve and sparse products, in float32. As forward, structure and given values are set
// up outside the timing, softmax coefficients are built inside it.
#pragma once

#include <memory>

#include "patterns/materialize.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

class GradientBaseline {
 public:
  virtual ~GradientBaseline() = default;
  // All gradients of the whole problem, heads spread over `threads` threads.
  virtual void run(int threads) = 0;
  // Those of the last run, by name, in f32.
  virtual HostBuffers result() const = 0;
};

// `problem` holds y and dy besides its inputs. Refuses linear weights. `rows` must outlive it.
Result<std::unique_ptr<GradientBaseline>> make_eigen_sparse_backward(const Problem& problem,
                                                                     const Rows& rows);

}  // namespace heddle
