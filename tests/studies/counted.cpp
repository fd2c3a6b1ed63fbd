// SPDX-License-Identifier: Apache-2.0
#include "tests/studies/counted.hpp"

#include <algorithm>
#include <numeric>

#include "analyzer/measures/congestion.hpp"
#include "analyzer/measures/depth.hpp"
#include "analyzer/measures/rank.hpp"
#include "analyzer/rules/liveness.hpp"

namespace heddle::study {
namespace {

constexpr std::int64_t kCopyWork = 200'000;

// Entry p - 1: the last row that reads position p, 0 if none does after p itself.
std::vector<std::int64_t> last_readers(const RowTable& table) {
  const std::int64_t n = table.rows();
  std::vector<std::int64_t> last(static_cast<std::size_t>(n), 0);
  // next[p]: the first position >= p that no later row reads.
  std::vector<std::int64_t> next(static_cast<std::size_t>(n) + 2);
  std::iota(next.begin(), next.end(), 0);
  const auto unread = [&](std::int64_t p) {
    while (next[static_cast<std::size_t>(p)] != p) {
      auto& step = next[static_cast<std::size_t>(p)];
      step = next[static_cast<std::size_t>(step)];
      p = step;
    }
    return p;
  };
  for (std::int64_t r = n; r >= 2; --r) {
    for (const Interval interval : table.row(r)) {
      const std::int64_t high = std::min(interval.high, r - 1);
      for (std::int64_t p = unread(interval.low); p <= high; p = unread(p)) {
        last[static_cast<std::size_t>(p - 1)] = r;
        next[static_cast<std::size_t>(p)] = p + 1;
      }
    }
  }
  return last;
}

}  // namespace

std::optional<Counted> Counted::of(const Pattern& pattern, std::int64_t n, std::int64_t pairs,
                                   std::int64_t copies) {
  const MaterializeResult found = materialize(pattern, n);
  const auto* rows = std::get_if<Rows>(&found);
  if (rows == nullptr) return std::nullopt;
  Counted counted;
  counted.n_ = n;
  std::vector<std::int64_t> change(static_cast<std::size_t>(n) + 2, 0);
  for (const RowTable* table : {&rows->a, &rows->b}) {
    const std::vector<std::int64_t> last = last_readers(*table);
    for (std::int64_t p = 1; p <= n; ++p) {
      const std::int64_t end = last[static_cast<std::size_t>(p - 1)];
      if (end <= p) continue;
      ++change[static_cast<std::size_t>(p)];
      --change[static_cast<std::size_t>(end)];
    }
  }
  std::int64_t live = 0;
  for (std::int64_t i = 1; i <= n; ++i) {
    std::int64_t time = 0;
    for (const RowTable* table : {&rows->a, &rows->b}) {
      for (const Interval interval : table->row(i)) time += interval.high - interval.low + 1;
    }
    counted.time_.push_back(time);
    live += change[static_cast<std::size_t>(i)];
    counted.read_later_.push_back(live);
  }
  counted.depth_ = depth_by_row(*rows);

  bool has_rule = true;
  counted.all_readers_until_ = n;
  for (const Side side : {Side::kA, Side::kB}) {
    const Liveness rule = liveness(pattern, side);
    // Rows are nested: once a row reads none of 1..i, no later one does. Else positions may be read
    // beyond the last row.
    const std::int64_t until = rule.retention == Retention::kNothing   ? n
                               : rule.retention == Retention::kNextRow ? n - 1
                               : rule.reach                            ? n - *rule.reach
                                                                       : 0;
    counted.all_readers_until_ = std::min(counted.all_readers_until_, until);
    has_rule = has_rule && (rule.retention != Retention::kHorizon || rule.reach);
  }
  if (has_rule) {
    const Result<CacheSizes> cache = cache_by_row(pattern, *rows);
    if (cache.ok() && !cache->horizon) counted.cache_by_rule_ = cache->size;
  }

  const MaterializeResult few = materialize(pattern, std::min(n, pairs));
  const Rows& small = std::get<Rows>(few);
  counted.hops_ = all_hops(small);
  for (std::int64_t m = 1; m <= copies && 4 * m <= small.n(); ++m) {
    const Result<RankResult> rank = rank_across(small, m);
    counted.rank_.push_back(rank.ok() ? rank->value : 0);
    bool lost = false;
    for (std::int64_t j = 1; j <= m; ++j) lost = lost || counted.hops(j + m, j) == kInfinite;
    const Result<Congestion> load =
        lost ? Result<Congestion>(Error{"infinite"}) : copy_congestion(small, m, {kCopyWork});
    counted.congestion_.push_back(lost        ? Enclosed{kInfinite, kInfinite}
                                  : load.ok() ? Enclosed{load->lower, load->upper}
                                              : Enclosed{});
  }
  return counted;
}

std::int64_t Counted::last(MeasureKind measure) const {
  if (measure == MeasureKind::kRank) return static_cast<std::int64_t>(rank_.size());
  if (measure == MeasureKind::kCongestion) return static_cast<std::int64_t>(congestion_.size());
  return measure == MeasureKind::kHops ? pairs() : n_;
}

Enclosed Counted::value(MeasureKind measure, std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i - 1);
  switch (measure) {
    case MeasureKind::kTime:
      return {time_[at], time_[at]};
    case MeasureKind::kDepth:
      return {depth_[at], depth_[at]};
    case MeasureKind::kCache:
      if (i <= all_readers_until_) return {read_later_[at], read_later_[at]};
      return {read_later_[at], 2 * i};
    case MeasureKind::kRank:
      return {rank_[at], i};
    case MeasureKind::kCongestion:
      return congestion_[at];
    case MeasureKind::kHops:
      break;
  }
  return {};
}

std::int64_t Counted::hops(std::int64_t i, std::int64_t j) const {
  const int count = hops_->at(i, j);
  return count == kUnreachable ? kInfinite : count;
}

std::string Counted::wrong_rule() const {
  for (std::size_t at = 0; at < cache_by_rule_.size(); ++at) {
    const Enclosed counted = value(MeasureKind::kCache, static_cast<std::int64_t>(at) + 1);
    if (counted.low <= cache_by_rule_[at] && cache_by_rule_[at] <= counted.high) continue;
    return "the rule for live sets says cache(" + std::to_string(at + 1) +
           ") = " + std::to_string(cache_by_rule_[at]) + ", the rows " +
           std::to_string(counted.low);
  }
  return "";
}

}  // namespace heddle::study
