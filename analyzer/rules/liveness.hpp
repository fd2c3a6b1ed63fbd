// SPDX-License-Identifier: Apache-2.0
// How long a position stays needed. live(i) is the set of positions p <= i that some row r > i
// reads; it is what decode must keep after token i. The rule that describes live(i) for every i is
// found on the syntax; where no rule fits, rows up to a horizon are counted and the result says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

enum class Retention {
  kNothing,     // live(i) is empty
  kEverything,  // live(i) = 1..i
  kNextRow,     // live(i) = row(i+1) restricted to 1..i
  kHorizon,     // no rule for every i
};
const char* name_of(Retention retention);

// A statement about every i, never a measurement.
struct Liveness {
  Retention retention = Retention::kHorizon;
  std::string rule;  // why, in one line
  // No row after p + reach reads p, where such a bound was seen: rows up to n + reach tell all.
  std::optional<std::int64_t> reach;
  // row(i) = {i - c : c in offsets, c < i}, where the set was seen to have this form and be finite.
  std::optional<IntervalList> offsets;
};
Liveness liveness(const Pattern& pattern, Side side);

constexpr std::int64_t kReadForEver = INT64_MAX;

// Entry p - 1 is the last row r > p that reads p, 0 if there is none, kReadForEver if the rule says
// that reading never ends. When `horizon` is set, an entry equal to it means "this row or later",
// and under Retention::kHorizon reads beyond it are unknown.
struct LastReads {
  std::vector<std::int64_t> row;
  std::optional<std::int64_t> horizon;
};
// For positions 1..n of `rows`. Rows after n are evaluated as far as needed, at most to
// max(horizon, 4n); fails if one of them reads outside its range.
Result<LastReads> last_reads(const Pattern& pattern, const Rows& rows, Side side,
                             std::int64_t horizon = 0);

// Entry i - 1 is |live(i)|, over both sides or one, for i = 1..n. When `horizon` is set, only
// readers up to that row were counted.
struct CacheSizes {
  std::vector<std::int64_t> size;
  std::optional<std::int64_t> horizon;
};
Result<CacheSizes> cache_by_row(const Pattern& pattern, const Rows& rows, Side side,
                                std::int64_t horizon = 0);
Result<CacheSizes> cache_by_row(const Pattern& pattern, const Rows& rows, std::int64_t horizon = 0);

}  // namespace heddle
