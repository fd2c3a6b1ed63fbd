// SPDX-License-Identifier: Apache-2.0
// How many ways information has from token to token: the entries of (I - B)^-1 A when every
// coefficient is 1.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/integer.hpp"
#include "patterns/materialize.hpp"

namespace heddle {

struct PathOptions {
  std::int64_t last = 4096;         // later rows are not counted
  std::int64_t work = 100'000'000;  // words added; the counting ends early where it costs more
};

struct PathCounts {
  std::int64_t from = 0;
  // Entry i - from is the number of paths from token `from` to output i; a path is a sequence
  // x_from, y_a, .., y_i in which each reads the one before it. Holds as many outputs as the
  // options allow, at least y_from.
  std::vector<Integer> to;
  std::int64_t last() const { return from + static_cast<std::int64_t>(to.size()) - 1; }
};

PathCounts count_paths(const Rows& rows, std::int64_t from, const PathOptions& options = {});

}  // namespace heddle
