// SPDX-License-Identifier: Apache-2.0
// Distinct copy paths per token, each with a share of its token that a game of the two players
// moves.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/measures/congestion_search.hpp"

namespace heddle {

class PathPool {
 public:
  explicit PathPool(int copy) : tokens_(static_cast<std::size_t>(copy)) {}

  // A new path starts with an average share. A token with very many paths loses its least used one.
  // False if the path is known.
  bool add(int token, const std::vector<int>& outputs);
  // Outputs on all paths together: what a round of the game looks at.
  std::int64_t size() const { return size_; }

  // The load of each output: the sum of the shares of its paths.
  void loads(std::vector<double>& load) const;
  // Moves shares to light paths, against their weight extrapolated from the last two.
  void shift_shares(const std::vector<double>& weights, double step, bool first);

  // Averages of the shares over the calls of add_to_average since the last clear_average.
  void clear_average();
  void add_to_average();
  CopySpread average() const;

 private:
  struct Path {
    std::vector<int> outputs;
    double share = 0;
    double last_weight = 0;
    double sum = 0;  // of shares, for the average
  };
  std::vector<std::vector<Path>> tokens_;
  std::int64_t size_ = 0;
};

}  // namespace heddle
