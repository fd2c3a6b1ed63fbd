// SPDX-License-Identifier: Apache-2.0
// Hops and depth against searches that use nothing but the definition, and the values of theory.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "analyzer/measures/depth.hpp"
#include "analyzer/measures/distance_semigroup.hpp"
#include "analyzer/measures/hops.hpp"
#include "analyzer/measures/invariance.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::builtin;
using testing::pattern_of;
using testing::random_pattern;
using testing::rows_of;

struct Edge {
  std::int64_t from;
  std::int64_t to;
};

std::vector<Edge> output_edges(const Rows& rows) {
  std::vector<Edge> edges;
  for (std::int64_t i = rows.n(); i >= 1; --i) {
    for_each_position(rows.b, i, [&](std::int64_t m) { edges.push_back({m, i}); });
  }
  return edges;
}

// Hops from token j to every token: edges are relaxed, in an order of no help, until all hold.
std::vector<int> search_from(const Rows& rows, const std::vector<Edge>& edges, std::int64_t j) {
  constexpr int kFar = 1 << 20;
  std::vector<int> hops(static_cast<std::size_t>(rows.n()) + 1, kFar);
  for (std::int64_t i = j; i <= rows.n(); ++i) {
    if (rows.a.contains(i, j)) hops[i] = i == j ? 0 : 1;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (const Edge& edge : edges) {
      if (hops[edge.from] + 1 < hops[edge.to]) {
        hops[edge.to] = hops[edge.from] + 1;
        changed = true;
      }
    }
  }
  for (int& value : hops) value = value >= kFar ? kUnreachable : value;
  return hops;
}

// The path leads from token to token by reads of the pattern, in as many hops as stated.
void check_path(const Rows& rows, const HopSummary& summary) {
  REQUIRE(summary.path.empty() == !summary.witness);
  if (!summary.witness) return;
  const auto& path = summary.path;
  CHECK(path.back() == summary.witness->first);
  CHECK(path.front() == summary.witness->second);
  CHECK(static_cast<std::int64_t>(path.size()) == summary.max + 1);
  for (std::size_t e = 1; e < path.size(); ++e) {
    const bool as_input = e == 1 && rows.a.contains(path[1], path[0]);
    const bool as_output =
        rows.b.contains(path[e], path[e - 1]) && (e > 1 || rows.a.contains(path[0], path[0]));
    CHECK((as_input || as_output));
  }
}

void check_against_search(const Rows& rows) {
  const std::int64_t n = rows.n();
  const HopTable table = all_hops(rows);
  const std::vector<Edge> edges = output_edges(rows);
  std::int64_t total = 0;
  HopSummary expected;
  for (std::int64_t j = 1; j <= n; ++j) {
    const std::vector<int> hops = search_from(rows, edges, j);
    for (std::int64_t i = j; i <= n; ++i) {
      if (table.at(i, j) != hops[i]) {
        INFO("hops(" << i << ", " << j << ")");
        REQUIRE(table.at(i, j) == hops[i]);
      }
      if (i == j) continue;
      if (hops[i] == kUnreachable) {
        ++expected.unreachable_pairs;
        continue;
      }
      ++expected.reachable_pairs;
      total += hops[i];
      const std::pair pair{i, j};
      if (!expected.witness || hops[i] > expected.max ||
          (hops[i] == expected.max && pair < *expected.witness)) {
        expected.max = hops[i];
        expected.witness = pair;
      }
    }
  }
  if (expected.reachable_pairs > 0) {
    expected.mean = static_cast<double>(total) / static_cast<double>(expected.reachable_pairs);
  }
  const HopSummary summary = summarize_hops(rows);
  CHECK(summary.max == expected.max);
  CHECK(summary.mean == Approx(expected.mean));
  CHECK(summary.reachable_pairs == expected.reachable_pairs);
  CHECK(summary.unreachable_pairs == expected.unreachable_pairs);
  CHECK(summary.witness == expected.witness);
  check_path(rows, summary);
  std::vector<std::int64_t> distribution(expected.witness ? expected.max + 1 : 0, 0);
  for (std::int64_t j = 1; j <= n; ++j) {
    for (std::int64_t i = j + 1; i <= n; ++i) {
      if (table.at(i, j) != kUnreachable) ++distribution[table.at(i, j)];
    }
  }
  CHECK(summary.distribution == distribution);
}

// The longest chain by following every edge.
std::vector<std::int64_t> longest_chains(const Rows& rows) {
  std::vector<std::int64_t> ending(static_cast<std::size_t>(rows.n()) + 1, 0);
  std::vector<std::int64_t> depth;
  std::int64_t longest = 0;
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    for (std::int64_t j = 1; j < i; ++j) {
      if (rows.a.contains(i, j)) ending[i] = std::max<std::int64_t>(ending[i], 1);
      if (rows.b.contains(i, j)) ending[i] = std::max(ending[i], ending[j] + 1);
    }
    depth.push_back(longest = std::max(longest, ending[i]));
  }
  return depth;
}

TEST_CASE("hops and depth agree with searches on random patterns") {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    const Pattern pattern = random_pattern(random);
    INFO(pattern.canonical_text());
    const Rows rows = rows_of(pattern, 1 + static_cast<std::int64_t>(random() % 150));
    check_against_search(rows);
    CHECK(depth_by_row(rows) == longest_chains(rows));
  }
}

TEST_CASE("a sample of tokens encloses what all tokens give") {
  for (const char* name : {"sqrt_cached", "log_cached"}) {
    INFO(name);
    const Rows rows = rows_of(builtin(name), 3000);
    const HopSummary all = summarize_hops(rows);
    HopOptions options;
    options.work = 1;
    options.sample_work = 1;  // the smallest sample
    const HopSummary sample = summarize_hops(rows, options);
    CHECK_FALSE(all.sample);
    REQUIRE(sample.sample);
    CHECK(sample.sample->tokens == 128);
    CHECK(sample.max <= all.max);
    CHECK(sample.max >= all.max - 1);
    check_path(rows, sample);
    CHECK(sample.sample->mean_half_width > 0);
    CHECK(std::abs(sample.mean - all.mean) < 2 * sample.sample->mean_half_width);
    CHECK(sample.sample->mean_half_width < 0.1 * all.mean);
    CHECK(sample.sample->unreachable_share == Approx(0).margin(1e-9));
    CHECK(std::pow(1 - sample.sample->share_beyond_max, 128) == Approx(0.05));
  }
  // Half of all pairs are out of reach of each other: odd and even tokens; made irregular at 5.
  const Rows rows = rows_of(
      pattern_of("A = diagonal\nB = { i - 2 : i > 2, i != 5 } | { i - 4 : i > 4 } | { 1 : i = 5 }"),
      2000);
  HopOptions options;
  options.work = 1;
  const HopSummary all = summarize_hops(rows);
  const HopSummary sample = summarize_hops(rows, options);
  REQUIRE(sample.sample);
  const double share =
      static_cast<double>(all.unreachable_pairs) / static_cast<double>(2000 * 1999 / 2);
  CHECK(share == Approx(0.5).margin(0.01));
  CHECK(std::abs(sample.sample->unreachable_share - share) <=
        2 * sample.sample->unreachable_half_width + 1e-3);
  CHECK(std::abs(sample.mean - all.mean) < 2 * sample.sample->mean_half_width);
}

TEST_CASE("a million tokens with translated rows") {
  const Rows rows = rows_of(builtin("sqrt_recurrence"), 1'000'000);
  const HopSummary summary = summarize_hops(rows);
  CHECK(summary.max == 4);
  CHECK(summary.witness == std::pair<std::int64_t, std::int64_t>(59, 1));
  check_path(rows, summary);
  CHECK(summary.unreachable_pairs == 0);
  // By hand, squares plus one: how many distances take one hop, each with n - d pairs.
  std::int64_t direct = 0;
  for (std::int64_t k = 0; k * k + 1 < 1'000'000; ++k) direct += 1'000'000 - (k * k + 1);
  CHECK(summary.distribution[1] == direct);
  CHECK(depth_by_row(rows).back() == 999'999);
}

TEST_CASE("distances with gaps: what never is a sum") {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    IntervalList distances;
    for (auto parts = 1 + random() % 4; parts > 0; --parts) {
      const auto low = static_cast<std::int64_t>(1 + random() % 12);
      distances.push_back({low, low + (random() % 3 == 0 ? 2 : 0)});
    }
    if (round % 3 == 0) {  // a common divisor
      for (Interval& distance : distances) distance = {3 * distance.low, 3 * distance.low};
    }
    distances = normalized(distances);
    constexpr std::int64_t kFar = 600;  // no gap is as large
    std::vector<bool> sum(kFar + 1, false);
    sum[0] = true;
    std::vector<std::int64_t> generators;
    std::int64_t gcd = 0, gap = 0;
    for (std::int64_t d = 1; d <= kFar; ++d) {
      for (std::int64_t c = 1; c < d && !sum[d]; ++c) {
        sum[d] = sum[d - c] && sum[c];
      }
      if (!sum[d] && contains(distances, d)) {
        generators.push_back(d);
        gcd = std::gcd(gcd, d);
        sum[d] = true;
      }
    }
    for (std::int64_t d = gcd; d <= kFar; d += gcd) {
      if (!sum[d]) gap = d;
    }
    const auto semigroup = distance_semigroup(distances);
    REQUIRE(semigroup);
    CHECK(semigroup->generators == generators);
    CHECK(semigroup->gcd == gcd);
    CHECK(semigroup->largest_gap.value_or(0) == gap);
  }
  CHECK_FALSE(distance_semigroup({}));
}

TEST_CASE("hops too large for a byte are counted in wider numbers") {
  // Not invariant because of the last row, so the blocks of columns are used.
  const Rows rows =
      rows_of(pattern_of("A = diagonal\nB = { i - 1 : i > 1, i != 700 } | { 1 : i = 700 }"), 700);
  CHECK_FALSE(hops_by_distance(rows));
  const HopSummary summary = summarize_hops(rows);
  CHECK(summary.max == 698);
  CHECK(summary.witness == std::pair<std::int64_t, std::int64_t>(699, 1));
  CHECK(summary.unreachable_pairs == 698);
}

TEST_CASE("long intervals cross every level of the block tree") {
  const Rows rows = rows_of(
      pattern_of(
          "A = diagonal\nB = { max(1, i - 900)..i - 1 } - { i - 700 : i > 700, i mod 2 = 0 }"),
      1500);
  CHECK_FALSE(hops_by_distance(rows));
  // Every pair is one or two steps apart: directly, or through any token between.
  std::int64_t direct = 0;
  for (std::int64_t i = 1; i <= 1500; ++i) direct += rows.b.size(i);
  const HopSummary summary = summarize_hops(rows);
  CHECK(summary.max == 2);
  CHECK(summary.reachable_pairs == 1500 * 1499 / 2);
  CHECK(summary.mean == Approx(2 - static_cast<double>(direct) / (1500 * 1499 / 2)));
  CHECK(summary.witness == std::pair<std::int64_t, std::int64_t>(702, 2));
}

TEST_CASE("offsets are found on rows that are translates and only there") {
  CHECK(invariant_offsets(rows_of(builtin("order_k_recurrence"), 50).b) == IntervalList{{1, 4}});
  CHECK(invariant_offsets(rows_of(builtin("dense_recurrence"), 50).b) == IntervalList{{1, 49}});
  CHECK(invariant_offsets(rows_of(builtin("attention"), 50).a) == IntervalList{{0, 49}});
  CHECK(invariant_offsets(rows_of(builtin("log_recurrence"), 9).b) ==
        IntervalList{{1, 2}, {4, 4}, {8, 8}});
  CHECK_FALSE(invariant_offsets(rows_of(builtin("log_cached"), 50).b));
  CHECK_FALSE(invariant_offsets(rows_of(pattern_of("A = diagonal\nB = { i - 2 : i > 3 }"), 50).b));
}

TEST_CASE("hops of the built-in patterns are those of theory") {
  const auto longest = [](const char* name) {
    return summarize_hops(rows_of(builtin(name), 4096)).max;
  };
  CHECK(longest("log_recurrence") == 12);
  CHECK(longest("log_cached") == 12);
  CHECK(longest("sqrt_recurrence") == 4);
  CHECK(longest("sqrt_cached") == 6);
  CHECK(summarize_hops(rows_of(builtin("sqrt_recurrence"), 59)).witness ==
        std::pair<std::int64_t, std::int64_t>(59, 1));
  CHECK(summarize_hops(rows_of(builtin("sqrt_recurrence"), 58)).max == 3);
  const auto distances = hops_by_distance(rows_of(builtin("log_recurrence"), 2000));
  REQUIRE(distances);
  for (std::size_t d = 0; d < distances->size(); ++d) {
    CHECK((*distances)[d] == __builtin_popcountll(d));
  }
  CHECK(summarize_hops(rows_of(builtin("attention"), 100)).max == 1);
  const HopSummary local = summarize_hops(rows_of(builtin("local_attention"), 100));
  CHECK(local.max == 1);
  CHECK(local.unreachable_pairs == 36 * 37 / 2);
}

TEST_CASE("depth of the built-in patterns") {
  CHECK(depth_by_row(rows_of(builtin("attention"), 100)).back() == 1);
  CHECK(depth_by_row(rows_of(builtin("linear_recurrence"), 100)).back() == 99);
  CHECK(depth_by_row(rows_of(builtin("chacal"), 100)).back() == 99);
  CHECK(depth_by_row(rows_of(builtin("sqrt_cached"), 1024)).back() == 1023);
}

}  // namespace
}  // namespace heddle
