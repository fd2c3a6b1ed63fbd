// SPDX-License-Identifier: Apache-2.0
// How many entries the rows of a sequence have at most: what the coefficient arrays of given
// weights must have columns for. A bound that holds for every length is a sum of counts; where none
// is known, numbers that were counted up to some length stand instead.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "patterns/result.hpp"

namespace heddle {

// Lengths and positions are below this: launches number rows in 31 bits.
constexpr std::int64_t kLongestSequence = (std::int64_t{1} << 31) - 1;

// Entries that rows 1..n have of one set of positions: at most #{k >= 0 : at(k) < n}, and never
// more than `most` where that is not 0. at(k) is listed as far as the first number that no sequence
// exceeds, or else c0 + c1 k + c2 k^2 with c >= 0; it rises strictly.
struct EntryCount {
  std::vector<std::int64_t> listed;
  std::array<std::int64_t, 3> polynomial = {0, 1, 0};
  std::int64_t most = 0;

  std::int64_t at(std::int64_t k) const;
  std::int64_t upto(std::int64_t tokens) const;
};

struct RowWidth {
  std::vector<EntryCount> parts;  // of a row, which is part of their union
  // Instead, with exact_to > 0: (n, entries) steps, ascending; from length n on some row has so
  // many.
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  std::int64_t exact_to = 0;

  bool stated() const { return !parts.empty() || exact_to > 0; }
  // Columns that suffice for rows 1..tokens; fails beyond exact_to.
  Result<std::int64_t> columns(std::int64_t tokens) const;
};

// No less, and such that rows of so many floats lie in as few 32-byte sectors as they can.
std::int64_t padded_columns(std::int64_t columns);

}  // namespace heddle
