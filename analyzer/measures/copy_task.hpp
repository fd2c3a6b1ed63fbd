// SPDX-License-Identifier: Apache-2.0
// The graph of the copy task and lightest paths in it, for the two sides of congestion.cpp.
#pragma once

#include <cstdint>
#include <span>
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
  // rowB(v), ascending.
  std::span<const std::int32_t> reads_of(int v) const {
    return {reads_.data() + read_start_[v], reads_.data() + read_start_[v + 1]};
  }
  // Rows v in j..j+m with j in rowA(v), ascending; j <= m.
  std::span<const std::int32_t> entries_of(int j) const {
    return {entries_.data() + entry_start_[j], entries_.data() + entry_start_[j + 1]};
  }

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
      entries_;                       // rows v in j..j+m with j in rowA(v), ascending
  std::vector<std::int32_t> before_;  // scratch: the output before v on the lightest path to v
  std::vector<double> real_;          // scratch: least weights
  std::vector<std::int64_t> whole_;
};

}  // namespace heddle
