// SPDX-License-Identifier: Apache-2.0
// Patterns side by side at one n: the numbers of each, and which of them no other one beats.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/measures/measures.hpp"

namespace heddle {

// One pattern at one n. What is missing could not be computed; `reasons` says why, one sentence for
// each missing number.
struct ComparedPattern {
  static constexpr std::int64_t kInfinite = std::numeric_limits<std::int64_t>::max();

  std::string pattern;
  std::string sha256;  // of the canonical text
  std::int64_t n = 0;
  std::int64_t time = 0;   // most over rows 1..n, as all numbers that depend on a row
  std::int64_t depth = 0;  // of row n
  std::optional<std::int64_t> cache;
  std::optional<std::int64_t> hops;  // most over reachable pairs; kInfinite if some pair is not
  std::optional<double> mean_hops;   // over reachable pairs
  std::int64_t copy = 0;             // tokens of the copy task
  std::optional<std::int64_t> congestion_lower;  // kInfinite when a token cannot reach its copy
  std::optional<std::int64_t> congestion_upper;
  std::int64_t cut = 0;
  std::optional<std::int64_t> rank;
  std::string time_class;   // proved for every n, "Theta(sqrt n)"; "-" where nothing is
  std::string cache_class;  // likewise
  std::vector<std::string> reasons;

  bool operator==(const ComparedPattern&) const = default;
};

// The numbers of `measures`; the classes stay empty.
ComparedPattern compared(const Pattern& pattern, const Measures& measures);

// Whether `a` is certainly no worse than `b` in time, cache and congestion, and better in one. A
// congestion known between bounds counts as its upper bound for `a` and as its lower one for `b`;
// what is missing decides nothing.
bool dominates(const ComparedPattern& a, const ComparedPattern& b);

// Entry k: whether no pattern of the same n dominates entry k.
std::vector<bool> pareto_front(const std::vector<ComparedPattern>& patterns);

}  // namespace heddle
