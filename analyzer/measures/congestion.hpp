// SPDX-License-Identifier: Apache-2.0
// congestion(m): the copy task. One path from each token j = 1..m to token j + m; the measure is
// the least possible load, the largest number of paths through one output, end points included. The
// exact value is a hard integer problem, so it is enclosed by two bounds, each with its evidence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

struct Congestion {
  std::int64_t copy = 0;  // m
  std::int64_t lower = 0;
  std::int64_t upper = 0;
  std::string lower_rule;

  // Evidence of `lower`: weights of outputs 1..2m, entry v - 1 of y_v. In every path system
  //   load * sum of weights >= sum over paths of their weight >= sum over j of the least weight of
  // a path j -> j + m, and the last sum exceeds (lower - 1) times the first.
  std::vector<std::int64_t> weights;

  // Evidence of `upper`: entry j - 1 lists the outputs on the path of token j. The first row reads
  // x_j, each later row reads the output before it, the last is j + m; no output is on more than
  // `upper` paths.
  std::vector<std::vector<std::int64_t>> paths;

  bool exact() const { return lower == upper; }
};

// Bounds work, not time, so that results repeat: reads looked at while searching.
struct CongestionOptions {
  std::int64_t work = 1'600'000'000;
};

// How the error begins when some token cannot reach its copy.
inline constexpr std::string_view kInfiniteCongestion = "infinite: ";

// `rows` must reach row 2m, m >= 1. Fails when some token cannot reach its copy, which makes the
// congestion infinite, and when the task is too large to be held in memory.
Result<Congestion> copy_congestion(const Rows& rows, std::int64_t copy,
                                   const CongestionOptions& options = {});

}  // namespace heddle
