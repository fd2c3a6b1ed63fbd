// SPDX-License-Identifier: Apache-2.0
// What a bound on the cache says about the other measures for every n.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "patterns/pattern.hpp"

namespace heddle {

struct GrowthLaw {
  std::string growth;  // "O(sqrt n)", "Omega(n / log n)"
  std::string rule;    // why, in one line
};

// `cache` is a proved upper class of cache(i).

// rank(m) <= cache(m): each path across the cut passes an x or y up to m that a later row reads,
// and disjoint paths pass different ones.
GrowthLaw rank_law(const GrowthClass& cache);

// Capacity law: congestion(n) cache(n) >= n, since n copy paths pass the live outputs of token n.
// Nothing unless A reads x_i in row i only, by its text.
std::optional<GrowthLaw> congestion_law(const Pattern& pattern, const GrowthClass& cache);

// State expansion: with `weights linear(state = N)` each coefficient of A and B acts on a state of
// N rows, read out by a vector of N numbers, so that it stands for a block of rank up to N and the
// rank across a cut is up to N times rank(m). The N, where the weights have one.
std::optional<std::int64_t> state_size(const Pattern& pattern);

}  // namespace heddle
