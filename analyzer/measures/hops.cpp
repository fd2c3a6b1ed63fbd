// SPDX-License-Identifier: Apache-2.0
// Three roads to the same numbers: distances for invariant patterns, blocks of columns for the
// rest, all of them or a sample, and the plain table when all pairs are wanted.
#include "analyzer/measures/hops.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "analyzer/measures/hop_columns.hpp"
#include "analyzer/measures/parallel.hpp"
#include "analyzer/measures/range_extreme.hpp"

namespace heddle {
namespace {

constexpr std::int32_t kInfinite = std::numeric_limits<std::int32_t>::max() - 1;
using Pair = std::pair<std::int64_t, std::int64_t>;

// Counts of pairs by hops; sums of tallies do not depend on the order.
struct Tally {
  std::vector<std::int64_t> pairs;  // entry h
  std::int64_t unreachable = 0;
  std::int64_t max = 0;
  std::optional<Pair> witness;

  void take_maximum(std::int64_t hops, Pair candidate) {
    if (witness && (hops < max || (hops == max && candidate >= *witness))) return;
    max = hops;
    witness = candidate;
  }

  void add(const Tally& other) {
    if (pairs.size() < other.pairs.size()) pairs.resize(other.pairs.size(), 0);
    for (std::size_t h = 0; h < other.pairs.size(); ++h) pairs[h] += other.pairs[h];
    unreachable += other.unreachable;
    if (other.witness) take_maximum(other.max, *other.witness);
  }

  HopSummary summary() const {
    HopSummary result;
    result.max = max;
    result.witness = witness;
    result.unreachable_pairs = unreachable;
    result.distribution = pairs;
    result.distribution.resize(witness ? static_cast<std::size_t>(max) + 1 : 0);
    double total = 0;
    for (std::size_t h = 0; h < result.distribution.size(); ++h) {
      result.reachable_pairs += result.distribution[h];
      total += static_cast<double>(h) * static_cast<double>(result.distribution[h]);
    }
    if (result.reachable_pairs > 0) {
      result.mean = total / static_cast<double>(result.reachable_pairs);
    }
    return result;
  }
};

Tally tally_of_distances(const std::vector<std::int32_t>& hops) {
  Tally tally;
  const auto n = static_cast<std::int64_t>(hops.size());
  for (std::int64_t d = 1; d < n; ++d) {
    const std::int32_t here = hops[static_cast<std::size_t>(d)];
    if (here == kUnreachable) {
      tally.unreachable += n - d;
      continue;
    }
    const auto h = static_cast<std::size_t>(here);
    if (tally.pairs.size() <= h) tally.pairs.resize(h + 1, 0);
    tally.pairs[h] += n - d;
    tally.take_maximum(here, {d + 1, 1});
  }
  return tally;
}

// Per searched token j, over i > j.
struct ColumnSum {
  std::int64_t token = 0;
  double hops = 0;
  std::int64_t reached = 0;
};

// The pairs i > j of up to 64 tokens j; nothing when a number reaches the last value before
// infinity, for which T is then too narrow. `sums` receives an entry per token if given.
template <typename T>
std::optional<Tally> tally_block(const Rows& rows, std::span<const std::int64_t> tokens,
                                 std::vector<ColumnSum>* sums) {
  using Columns = HopColumns<T>;
  Columns columns(rows, tokens);
  Tally tally;
  std::vector<ColumnSum> own(tokens.size());
  std::size_t open = 0;  // tokens below row i
  for (std::int64_t i = columns.first_row(); i <= rows.n(); ++i) {
    const typename Columns::Lanes& hops = columns.append();
    while (open < tokens.size() && tokens[open] < i) ++open;
    T longest = 0;
    for (std::size_t lane = 0; lane < open; ++lane) {
      longest = std::max<T>(longest, hops[lane] == Columns::kNone ? T{0} : hops[lane]);
    }
    if (longest == Columns::kNone - 1) return std::nullopt;
    if (tally.pairs.size() <= longest) tally.pairs.resize(std::size_t{longest} + 1, 0);
    for (std::size_t lane = 0; lane < open; ++lane) {
      if (hops[lane] == Columns::kNone) {
        ++tally.unreachable;
        continue;
      }
      ++tally.pairs[hops[lane]];
      if (sums) {
        own[lane].hops += hops[lane];
        ++own[lane].reached;
      }
    }
    if (longest > 0 && (!tally.witness || longest > tally.max)) {
      const auto lane = std::find(hops.begin(), hops.begin() + open, longest) - hops.begin();
      tally.take_maximum(longest, {i, tokens[static_cast<std::size_t>(lane)]});
    }
  }
  if (sums) {
    for (std::size_t e = 0; e < own.size(); ++e) {
      own[e].token = tokens[e];
      sums->push_back(own[e]);
    }
  }
  return tally;
}

std::int64_t blocks_of(std::size_t tokens) {
  return (static_cast<std::int64_t>(tokens) + HopColumns<std::uint8_t>::kLanes - 1) /
         HopColumns<std::uint8_t>::kLanes;
}

// All pairs of these tokens, ascending.
template <typename T>
std::optional<Tally> tally_columns(const Rows& rows, const std::vector<std::int64_t>& tokens,
                                   std::vector<ColumnSum>* sums) {
  const std::int64_t blocks = blocks_of(tokens.size());
  std::vector<Tally> tallies(static_cast<std::size_t>(worker_count()));
  std::vector<std::vector<ColumnSum>> block_sums(sums ? static_cast<std::size_t>(blocks) : 0);
  std::atomic<bool> narrow{false};
  for_each_parallel(blocks, [&](int worker, std::int64_t block) {
    if (narrow) return;
    const std::span<const std::int64_t> all(tokens);
    const auto first = static_cast<std::size_t>(block * HopColumns<T>::kLanes);
    const auto own =
        all.subspan(first, std::min<std::size_t>(HopColumns<T>::kLanes, all.size() - first));
    const auto tally =
        tally_block<T>(rows, own, sums ? &block_sums[static_cast<std::size_t>(block)] : nullptr);
    if (!tally) {
      narrow = true;
      return;
    }
    tallies[static_cast<std::size_t>(worker)].add(*tally);
  });
  if (narrow) return std::nullopt;
  Tally tally;
  for (const Tally& part : tallies) tally.add(part);
  for (const auto& part : block_sums) sums->insert(sums->end(), part.begin(), part.end());
  return tally;
}

Tally tally_columns(const Rows& rows, const std::vector<std::int64_t>& tokens,
                    std::vector<ColumnSum>* sums) {
  if (const auto tally = tally_columns<std::uint8_t>(rows, tokens, sums)) return *tally;
  if (const auto tally = tally_columns<std::uint16_t>(rows, tokens, sums)) return *tally;
  const auto tally = tally_columns<std::uint32_t>(rows, tokens, sums);
  assert_that(tally.has_value(), "a path has fewer edges than there are tokens");
  return *tally;
}

// Token j for the pair with this index when pairs are listed by j.
std::int64_t token_of_pair(std::int64_t n, std::int64_t index) {
  // Tokens 1..j have j n - j (j + 1) / 2 pairs.
  std::int64_t low = 1, high = n - 1;
  while (low < high) {
    const std::int64_t j = low + (high - low) / 2;
    if (index < j * n - j * (j + 1) / 2) {
      high = j;
    } else {
      low = j + 1;
    }
  }
  return low;
}

std::vector<std::int64_t> drawn_tokens(std::int64_t n, std::int64_t count) {
  std::mt19937_64 random(1);  // the same tokens each time: results repeat
  std::uniform_int_distribution<std::int64_t> pair(0, n * (n - 1) / 2 - 1);
  std::vector<std::int64_t> tokens;
  for (std::int64_t e = 0; e < count; ++e) tokens.push_back(token_of_pair(n, pair(random)));
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

// With chances in proportion to the pairs n - j of a token, each draw gives
//   u = hops / (n - j), v = reached / (n - j) with E u / E v = mean and 1 - E v = unreachable
//   share.
void estimate(std::int64_t n, const std::vector<ColumnSum>& draws, HopSummary& summary) {
  constexpr double kNormal = 1.959964;  // two-sided, 95%
  HopSample sample;
  sample.tokens = static_cast<std::int64_t>(draws.size());
  const double count = static_cast<double>(draws.size());
  double u = 0, v = 0;
  for (const ColumnSum& draw : draws) {
    u += draw.hops / static_cast<double>(n - draw.token) / count;
    v += static_cast<double>(draw.reached) / static_cast<double>(n - draw.token) / count;
  }
  summary.mean = v > 0 ? u / v : 0;
  sample.unreachable_share = 1 - v;
  double mean_square = 0, share_square = 0;
  for (const ColumnSum& draw : draws) {
    const double pairs = static_cast<double>(n - draw.token);
    const double reached = static_cast<double>(draw.reached) / pairs;
    const double error = draw.hops / pairs - summary.mean * reached;
    mean_square += error * error;
    share_square += (reached - v) * (reached - v);
  }
  const double scale = kNormal / std::sqrt(count * (count - 1));
  sample.mean_half_width = v > 0 ? scale * std::sqrt(mean_square) / v : 0;
  sample.unreachable_half_width = scale * std::sqrt(share_square);
  sample.share_beyond_max = 1 - std::pow(1 - sample.confidence, 1 / count);
  summary.sample = sample;
}

// Back from i to j through tokens that are one hop nearer each; hops(v) is hops(v, j).
template <typename Hops>
std::vector<std::int64_t> shortest_path(const Rows& rows, Pair pair, const Hops& hops) {
  const auto [i, j] = pair;
  std::vector<std::int64_t> path;
  for (std::int64_t v = i; v != j;) {
    path.push_back(v);
    std::int64_t before = hops(v) == 1 && rows.a.contains(v, j) ? j : 0;
    for (const Interval read : rows.b.row(v)) {
      for (std::int64_t u = std::max(read.low, j); u <= read.high && before == 0; ++u) {
        if (hops(u) == hops(v) - 1) before = u;
      }
      if (before != 0) break;
    }
    assert_that(before != 0, "the pair is connected");
    v = before;
  }
  path.push_back(j);
  std::reverse(path.begin(), path.end());
  return path;
}

// The tokens of a path with the fewest edges, by a search from j alone.
std::vector<std::int64_t> shortest_path(const Rows& rows, Pair pair) {
  const auto [i, j] = pair;
  RangeMinimum<std::int32_t> hops;  // of rows j, j + 1, ..
  for (std::int64_t v = j; v <= i; ++v) {
    std::int32_t least = !rows.a.contains(v, j) ? kInfinite : v == j ? 0 : 1;
    for (const Interval read : rows.b.row(v)) {
      if (read.high < j) continue;
      const auto low = static_cast<std::size_t>(std::max(read.low, j) - j);
      least = std::min(least, hops.over(low, static_cast<std::size_t>(read.high - j)) + 1);
    }
    hops.append(std::min(least, kInfinite));
  }
  return shortest_path(
      rows, pair, [&, j = j](std::int64_t v) { return hops[static_cast<std::size_t>(v - j)]; });
}

std::int64_t interval_count(const Rows& rows) {
  std::int64_t count = 0;
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    count += static_cast<std::int64_t>(rows.a.row(i).size() + rows.b.row(i).size());
  }
  return count;
}

}  // namespace

HopSummary summarize_hops(const Rows& rows, const HopOptions& options) {
  const std::int64_t n = rows.n();
  if (const auto hops = hops_by_distance(rows)) {
    HopSummary summary = tally_of_distances(*hops).summary();
    if (summary.witness) {
      const std::int64_t j = summary.witness->second;
      summary.path = shortest_path(rows, *summary.witness, [&](std::int64_t v) {
        return (*hops)[static_cast<std::size_t>(v - j)];
      });
    }
    return summary;
  }
  // On average a block looks at half of the rows, which cost something themselves.
  const std::int64_t sweep = interval_count(rows) + n;
  HopSummary summary;
  if (blocks_of(static_cast<std::size_t>(n)) <= options.work / sweep * 2) {
    std::vector<std::int64_t> tokens(static_cast<std::size_t>(n));
    std::iota(tokens.begin(), tokens.end(), 1);
    summary = tally_columns(rows, tokens, nullptr).summary();
  } else {
    const std::int64_t blocks = std::clamp<std::int64_t>(options.sample_work / sweep, 2, 64);
    const auto tokens = drawn_tokens(n, blocks * HopColumns<std::uint8_t>::kLanes);
    std::vector<ColumnSum> draws;
    summary = tally_columns(rows, tokens, &draws).summary();
    estimate(n, draws, summary);
  }
  if (summary.witness) summary.path = shortest_path(rows, *summary.witness);
  return summary;
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
