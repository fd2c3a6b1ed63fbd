// SPDX-License-Identifier: Apache-2.0
// What a user would write without heddle: Eigen's sparse and dense triangular solves, in float32,
// one solve with head_dim right-hand sides per head. Structure and, for given weights, values are
// set up outside the timing; softmax coefficients depend on the input and are built inside it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "patterns/materialize.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual std::string name() const = 0;  // "eigen-sparse", "eigen-dense"
  // Y for the whole problem, heads spread over `threads` threads.
  virtual void run(int threads) = 0;
  // y of the last run, [batch, tokens, heads, head_dim] in f32.
  virtual HostBuffer result() const = 0;
};

// Both refuse linear weights and, the dense one, matrices beyond `max_bytes` of memory. The
// problem's inputs are widened to float32 here, outside the timing. `rows` must outlive them.
Result<std::unique_ptr<Baseline>> make_eigen_sparse(const Problem& problem, const Rows& rows);
Result<std::unique_ptr<Baseline>> make_eigen_dense(const Problem& problem, const Rows& rows,
                                                   std::int64_t max_bytes = std::int64_t{1} << 30);

}  // namespace heddle
