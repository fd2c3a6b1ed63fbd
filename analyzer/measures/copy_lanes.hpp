// SPDX-License-Identifier: Apache-2.0
// Lightest copy paths of sixteen neighbouring tokens in one pass over the rows: their searches look
// at nearly the same reads.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "analyzer/measures/copy_task.hpp"

namespace heddle {

// Weights are of type float, or std::int32_t for exact sums; then all weights together must not
// exceed kMostWeight.
template <typename Weight>
class CopyLanes {
 public:
  static constexpr int kLanes = 16;
  static constexpr std::int32_t kMostWeight = (1 << 30) - 1;

  explicit CopyLanes(const CopyTask& task);

  // Searches from tokens first .. first + lanes - 1 <= m, lanes <= kLanes. Entry v of `weights` is
  // the weight of y_v, not negative; entry 0 is not used.
  void search(int first, int lanes, const std::vector<Weight>& weights);

  // Of token first + lane: the least weight of a path to its copy, which must exist, and the
  // outputs on such a path. Ties go to the farthest read.
  Weight least(int lane) const;
  void path(int lane, std::vector<int>& outputs) const;

 private:
  using Row = std::array<Weight, kLanes>;

  const CopyTask& task_;
  int first_ = 0;
  std::vector<Row> least_;                    // entry v - first
  std::vector<std::pair<int, int>> entries_;  // (row, lane): rows that read the lane's own token
};

}  // namespace heddle
