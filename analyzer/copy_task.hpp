// SPDX-License-Identifier: Apache-2.0
// The graph of the copy task and lightest paths in it, for the two sides of congestion.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

// Tokens are numbered from 1 and arrays have an unused entry 0.
class CopyTask {
 public:
  // Fails when the graph is too large.
  static Result<CopyTask> build(const Rows& rows, std::int64_t copy);

  int copy() const { return copy_; }
  int outputs() const { return 2 * copy_; }
  // Reads that one search per token looks at, all together.
  std::int64_t work_per_sweep() const { return work_per_sweep_; }
  // Outputs 1..m that rows after m read, when every path must pass one of them (A crosses nowhere).
  const std::vector<int>& gate() const { return gate_; }

  // The least weight of a path j -> j + m, the sum over its outputs of `weights`, which must not be
  // negative; `path`, if given, receives the outputs. Ties go to the farthest read. Negative if
  // there is no path.
  template <typename Weight>
  Weight lightest_path(int j, const std::vector<Weight>& weights, std::vector<int>* path);

 private:
  int copy_ = 0;
  std::int64_t work_per_sweep_ = 0;
  std::vector<std::int32_t> read_start_, reads_;  // rowB(v), ascending
  std::vector<std::int32_t> entry_start_,
      entries_;  // rows v in j..j+m with j in rowA(v), ascending
  std::vector<int> gate_;
  std::vector<std::int32_t> before_;  // scratch: the output before v on the lightest path to v
  std::vector<double> real_;          // scratch: least weights
  std::vector<std::int64_t> whole_;
};

// The parts of copy_congestion.

struct WeightBound {
  std::int64_t lower = 0;
  std::vector<std::int64_t> weights;  // entry v - 1
};
// The bound that these weights prove.
std::int64_t bound_of(CopyTask& task, const std::vector<std::int64_t>& weights);
// Searches for weights that prove `goal`, within `work` reads.
WeightBound search_weights(CopyTask& task, std::int64_t goal, std::int64_t work);

struct Routing {
  std::int64_t load = 0;
  std::vector<std::vector<int>> paths;  // entry j - 1
};
// Every token must have a path. Searches for a routing with load `goal`, within `work` reads.
Routing search_routing(CopyTask& task, std::int64_t goal, std::int64_t work);

}  // namespace heddle
