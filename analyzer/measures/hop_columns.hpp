// SPDX-License-Identifier: Apache-2.0
// Hops from a block of tokens at once: the rows of a table with one lane per token, in numbers as
// narrow as the hops allow.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

// Numbers are of type T with the largest value as infinity.
template <typename T>
class HopColumns {
 public:
  static constexpr std::int64_t kLanes = 64;
  static constexpr T kNone = std::numeric_limits<T>::max();
  using Lanes = std::array<T, kLanes>;

  // At most kLanes tokens, ascending, repetition allowed; `rows` and `tokens` must outlive this.
  HopColumns(const Rows& rows, std::span<const std::int64_t> tokens)
      : rows_(rows), tokens_(tokens), first_(tokens.front()) {
    levels_[0].reserve(static_cast<std::size_t>(rows.n() - first_ + 1));
  }

  std::int64_t first_row() const { return first_; }

  // Appends the next row, from first_row() on: entry e is hops(row, tokens[e]), kNone where there
  // is no path.
  const Lanes& append() {
    const std::int64_t i = first_ + static_cast<std::int64_t>(levels_[0].size());
    Lanes best;
    best.fill(kNone);
    for (const Interval interval : rows_.b.row(i)) {
      if (interval.high < first_) continue;
      take_rows(std::max(interval.low, first_) - first_, interval.high - first_, best);
    }
    for (T& value : best) value = static_cast<T>(value + (value != kNone));
    for (const Interval interval : rows_.a.row(i)) {
      if (interval.high < first_ || interval.low > tokens_.back()) continue;
      const auto low = std::lower_bound(tokens_.begin(), tokens_.end(), interval.low);
      for (auto token = low; token != tokens_.end() && *token <= interval.high; ++token) {
        T& value = best[static_cast<std::size_t>(token - tokens_.begin())];
        value = std::min<T>(value, *token == i ? 0 : 1);
      }
    }
    levels_[0].push_back(best);
    complete_groups();
    return levels_[0].back();
  }

 private:
  // Level k + 1 holds the minima of groups of 16 entries of level k.
  static constexpr std::size_t kGroup = 16;

  static void take(const Lanes& from, Lanes& best) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      best[lane] = std::min(best[lane], from[lane]);
    }
  }

  void take_rows(std::int64_t low, std::int64_t high, Lanes& best) const {
    auto begin = static_cast<std::size_t>(low);
    auto end = static_cast<std::size_t>(high) + 1;
    for (const std::vector<Lanes>& level : levels_) {
      const bool top = &level == &levels_.back();
      while (begin < end && (top || begin % kGroup != 0)) take(level[begin++], best);
      while (begin < end && end % kGroup != 0) take(level[--end], best);
      if (begin == end) return;
      begin /= kGroup;
      end /= kGroup;
    }
  }

  void complete_groups() {
    for (std::size_t k = 0; k + 1 < levels_.size(); ++k) {
      const std::size_t size = levels_[k].size();
      if (size % kGroup != 0) return;
      Lanes best;
      best.fill(kNone);
      for (std::size_t e = size - kGroup; e < size; ++e) take(levels_[k][e], best);
      levels_[k + 1].push_back(best);
    }
  }

  const Rows& rows_;
  std::span<const std::int64_t> tokens_;
  std::int64_t first_;
  std::array<std::vector<Lanes>, 4> levels_;
};

}  // namespace heddle
