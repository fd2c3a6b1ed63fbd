// SPDX-License-Identifier: Apache-2.0
// Three roads to the same numbers: distances for invariant patterns, blocks of columns with narrow
// numbers for the rest, and the plain table when all pairs are wanted.
#include "analyzer/hops.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "analyzer/invariance.hpp"
#include "analyzer/range_extreme.hpp"

namespace heddle {
namespace {

constexpr std::int32_t kInfinite = std::numeric_limits<std::int32_t>::max() - 1;

struct Tally {
  std::int64_t total = 0;
  HopSummary summary;

  void take_maximum(std::int64_t hops, std::int64_t i, std::int64_t j) {
    const std::pair candidate{i, j};
    if (summary.witness &&
        (hops < summary.max || (hops == summary.max && candidate >= *summary.witness))) {
      return;
    }
    summary.max = hops;
    summary.witness = candidate;
  }

  HopSummary finish() const {
    HopSummary result = summary;
    if (result.reachable_pairs > 0) {
      result.mean = static_cast<double>(total) / static_cast<double>(result.reachable_pairs);
    }
    return result;
  }
};

HopSummary summarize_distances(const std::vector<std::int32_t>& hops) {
  Tally tally;
  const auto n = static_cast<std::int64_t>(hops.size());
  for (std::int64_t d = 1; d < n; ++d) {
    const std::int64_t pairs = n - d;
    if (hops[d] == kUnreachable) {
      tally.summary.unreachable_pairs += pairs;
      continue;
    }
    tally.summary.reachable_pairs += pairs;
    tally.total += pairs * hops[d];
    tally.take_maximum(hops[d], d + 1, 1);
  }
  return tally.finish();
}

// A block of kLanes columns j = first .. first + kLanes - 1, all rows from `first` on. Numbers are
// of type T with the largest value as infinity.
template <typename T>
class ColumnBlock {
 public:
  static constexpr std::int64_t kLanes = 64;
  static constexpr T kNone = std::numeric_limits<T>::max();
  using Lanes = std::array<T, kLanes>;

  ColumnBlock(const Rows& rows, std::int64_t first) : rows_(rows), first_(first) {
    levels_[0].reserve(static_cast<std::size_t>(rows.n() - first + 1));
  }

  // Appends row first + size. Lanes of columns without a path, or beyond the row, are kNone.
  const Lanes& append() {
    const std::int64_t i = first_ + static_cast<std::int64_t>(levels_[0].size());
    Lanes best;
    best.fill(kNone);
    for (const Interval& interval : rows_.b.row(i)) {
      if (interval.high < first_) continue;
      take_rows(std::max(interval.low, first_) - first_, interval.high - first_, best);
    }
    for (T& value : best) value = static_cast<T>(value + (value != kNone));
    for (const Interval& interval : rows_.a.row(i)) {
      const std::int64_t low = std::max(interval.low, first_);
      const std::int64_t high = std::min(interval.high, first_ + kLanes - 1);
      for (std::int64_t j = low; j <= high; ++j) {
        T& value = best[static_cast<std::size_t>(j - first_)];
        value = std::min<T>(value, j == i ? 0 : 1);
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
  std::int64_t first_;
  std::array<std::vector<Lanes>, 4> levels_;
};

// Nothing when a number reaches the last value before infinity: then T is too narrow.
template <typename T>
std::optional<HopSummary> summarize_blocks(const Rows& rows) {
  using Block = ColumnBlock<T>;
  Tally tally;
  const std::int64_t n = rows.n();
  for (std::int64_t first = 1; first <= n; first += Block::kLanes) {
    Block block(rows, first);
    for (std::int64_t i = first; i <= n; ++i) {
      const typename Block::Lanes& hops = block.append();
      const std::int64_t lanes = std::min(Block::kLanes, i - first);  // columns j < i
      std::uint32_t total = 0;
      std::uint32_t reached = 0;
      T longest = 0;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const T value = hops[static_cast<std::size_t>(lane)];
        const bool path = value != Block::kNone;
        total += path ? value : 0u;
        reached += path;
        longest = std::max<T>(longest, path ? value : T{0});
      }
      if (longest == Block::kNone - 1) return std::nullopt;
      tally.total += total;
      tally.summary.reachable_pairs += reached;
      tally.summary.unreachable_pairs += lanes - reached;
      if (reached > 0 && (!tally.summary.witness || longest >= tally.summary.max)) {
        const auto lane = std::find(hops.begin(), hops.begin() + lanes, longest) - hops.begin();
        tally.take_maximum(longest, i, first + lane);
      }
    }
  }
  return tally.finish();
}

}  // namespace

std::optional<std::vector<std::int32_t>> hops_by_distance(const Rows& rows) {
  const auto inputs = invariant_offsets(rows.a);
  if (!inputs) return std::nullopt;
  const auto outputs = invariant_offsets(rows.b);
  if (!outputs) return std::nullopt;
  RangeMinimum<std::int32_t> hops;  // of distances 0, 1, ..
  for (std::int64_t d = 0; d < rows.n(); ++d) {
    std::int32_t best = contains(*inputs, d) ? (d == 0 ? 0 : 1) : kInfinite;
    for (const Interval& offset : *outputs) {
      if (offset.low > d) break;
      const std::int64_t far = std::min(offset.high, d);
      const std::int32_t before =
          hops.over(static_cast<std::size_t>(d - far), static_cast<std::size_t>(d - offset.low));
      if (before < kInfinite) best = std::min(best, before + 1);
    }
    hops.append(best);
  }
  std::vector<std::int32_t> result;
  for (std::size_t d = 0; d < hops.size(); ++d) {
    result.push_back(hops[d] < kInfinite ? hops[d] : kUnreachable);
  }
  return result;
}

HopSummary summarize_hops(const Rows& rows) {
  if (const auto hops = hops_by_distance(rows)) return summarize_distances(*hops);
  if (const auto summary = summarize_blocks<std::uint8_t>(rows)) return *summary;
  if (const auto summary = summarize_blocks<std::uint16_t>(rows)) return *summary;
  const auto summary = summarize_blocks<std::uint32_t>(rows);
  assert_that(summary.has_value(), "a path has fewer edges than there are tokens");
  return *summary;
}

HopTable all_hops(const Rows& rows) {
  const std::int64_t n = rows.n();
  std::vector<std::int32_t> table(static_cast<std::size_t>(n * (n + 1) / 2), kInfinite);
  const auto row_of = [&](std::int64_t i) { return table.data() + i * (i - 1) / 2; };
  for (std::int64_t i = 1; i <= n; ++i) {
    std::int32_t* row = row_of(i);
    for_each_position(rows.b, i, [&](std::int64_t m) {
      const std::int32_t* from = row_of(m);
      for (std::int64_t j = 0; j < m; ++j) row[j] = std::min(row[j], from[j] + 1);
    });
    for_each_position(rows.a, i,
                      [&](std::int64_t j) { row[j - 1] = std::min(row[j - 1], j < i ? 1 : 0); });
    for (std::int64_t j = 0; j < i; ++j) row[j] = std::min(row[j], kInfinite);
  }
  for (std::int32_t& hops : table) hops = hops < kInfinite ? hops : kUnreachable;
  return HopTable(n, std::move(table));
}

}  // namespace heddle
