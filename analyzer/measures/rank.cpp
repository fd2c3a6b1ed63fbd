// SPDX-License-Identifier: Apache-2.0
// Greedy paths against counting bounds first; a maximum flow only where they do not meet.
#include "analyzer/measures/rank.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "analyzer/measures/cut_flow.hpp"
#include "analyzer/measures/dependency_graph.hpp"

namespace heddle {
namespace {

// A maximum flow keeps every read in memory.
constexpr std::int64_t kMostIntervals = 10'000'000;

// Positions up to the cut that rows after it read.
std::int64_t count_read(const RowTable& table, std::int64_t cut) {
  std::vector<std::int64_t> change(static_cast<std::size_t>(cut) + 2, 0);
  for (std::int64_t i = cut + 1; i <= table.rows(); ++i) {
    for (const Interval& interval : table.row(i)) {
      if (interval.low > cut) break;
      ++change[interval.low];
      --change[std::min(interval.high, cut) + 1];
    }
  }
  std::int64_t readers = 0;
  std::int64_t read = 0;
  for (std::int64_t p = 1; p <= cut; ++p) read += (readers += change[p]) > 0;
  return read;
}

bool crosses(const RowTable& table, std::int64_t i, std::int64_t cut) {
  const auto row = table.row(i);
  return !row.empty() && row.front().low <= cut;
}

// Rows after the cut, in one order or the other, each given the lowest free token it reads:
// directly as an input, or as an output whose own row takes the token in. Distinct tokens make
// disjoint paths. Late rows read fewest of the tokens up to the cut, so they mostly do best when
// first.
enum class Order { kLastFirst, kFirstFirst };
std::int64_t greedy_paths(const Rows& rows, std::int64_t cut, Order order) {
  std::vector<std::int64_t> next(static_cast<std::size_t>(cut) + 2);  // next token not taken
  std::iota(next.begin(), next.end(), 0);
  const auto free_from = [&](std::int64_t p) {
    std::int64_t root = p;
    while (next[root] != root) root = next[root];
    while (next[p] != root) p = std::exchange(next[p], root);
    return root;
  };
  std::int64_t paths = 0;
  for (std::int64_t e = 0; e < rows.n() - cut; ++e) {
    const std::int64_t i = order == Order::kLastFirst ? rows.n() - e : cut + 1 + e;
    std::int64_t chosen = cut + 1;
    for (const Interval& interval : rows.a.row(i)) {
      if (interval.low > cut) break;
      const std::int64_t p = free_from(interval.low);
      if (p <= interval.high) {
        chosen = std::min(chosen, p);
        break;
      }
    }
    for (const Interval& interval : rows.b.row(i)) {
      if (interval.low >= chosen) break;
      std::int64_t p = free_from(interval.low);
      while (p <= interval.high && p < chosen && !rows.a.contains(p, p)) p = free_from(p + 1);
      if (p <= interval.high && p < chosen) {
        chosen = p;
        break;
      }
    }
    if (chosen > cut) continue;
    next[chosen] = chosen + 1;
    ++paths;
  }
  return paths;
}

}  // namespace

Result<RankResult> rank_across(const Rows& rows, std::int64_t cut) {
  const std::int64_t n = rows.n();
  assert_that(0 <= cut && cut <= n, "the cut lies within 0..n");
  RankResult result;
  result.cut = cut;

  std::int64_t readers = 0;
  for (std::int64_t i = cut + 1; i <= n; ++i) {
    readers += crosses(rows.a, i, cut) || crosses(rows.b, i, cut);
  }
  const std::int64_t live = count_read(rows.a, cut) + count_read(rows.b, cut);
  const std::pair<std::int64_t, const char*> bounds[] = {
      {cut, "there are no more columns"},
      {readers, "no more rows read across the cut"},
      {live, "no more positions are read across the cut"}};
  const auto& upper =
      *std::min_element(std::begin(bounds), std::end(bounds),
                        [](const auto& a, const auto& b) { return a.first < b.first; });

  std::int64_t greedy = greedy_paths(rows, cut, Order::kLastFirst);
  if (greedy < upper.first) {
    greedy = std::max(greedy, greedy_paths(rows, cut, Order::kFirstFirst));
  }
  if (greedy == upper.first) {
    result.value = greedy;
    result.lower = "disjoint paths chosen greedily";
    result.upper = upper.second;
    return result;
  }
  std::int64_t intervals = 0;
  for (std::int64_t i = 1; i <= n; ++i) {
    intervals += static_cast<std::int64_t>(rows.a.row(i).size() + rows.b.row(i).size());
  }
  if (intervals > kMostIntervals) {
    return Error{"rows of more than " + std::to_string(kMostIntervals) +
                 " intervals in all are not searched for paths"};
  }
  result.value = max_disjoint_paths(rows, cut).count;
  result.lower = "a maximum flow";
  result.upper = "a minimum vertex cut";
  return result;
}

Result<RankEvidence> rank_evidence(const Rows& rows, std::int64_t cut) {
  assert_that(0 <= cut && cut <= rows.n(), "the cut lies within 0..n");
  auto flow = CutFlow::build(rows);
  if (!flow.ok()) return flow.error();
  while (flow->cut() < cut) flow->advance();
  return RankEvidence{flow->paths(), flow->minimum_cut()};
}

Result<std::vector<std::int64_t>> rank_by_cut(const Rows& rows, std::int64_t work) {
  auto flow = CutFlow::build(rows);
  if (!flow.ok()) return flow.error();
  std::vector<std::int64_t> rank(1, 0);
  while (flow->cut() < flow->n()) {
    flow->advance();
    rank.push_back(flow->value());
    if (flow->work() > work) {
      return Error{"following the cut took more than " + std::to_string(work) +
                   " looks at a read, up to token " + std::to_string(flow->cut())};
    }
  }
  return rank;
}

}  // namespace heddle
