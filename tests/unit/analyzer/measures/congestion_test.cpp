// SPDX-License-Identifier: Apache-2.0
// Both bounds of copy congestion are re-proved from their evidence by code that shares nothing with
// the search, and compared with an exhaustive search where that is possible.
#include <algorithm>
#include <functional>
#include <random>

#include "analyzer/measures/congestion.hpp"
#include "analyzer/rules/liveness.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::builtin;
using testing::pattern_of;
using testing::random_pattern;
using testing::rows_of;

// The paths are paths of the pattern, one from each token to its copy, and carry the stated load.
void check_paths(const Rows& rows, const Congestion& congestion) {
  const std::int64_t m = congestion.copy;
  REQUIRE(static_cast<std::int64_t>(congestion.paths.size()) == m);
  std::vector<std::int64_t> load(static_cast<std::size_t>(2 * m) + 1, 0);
  bool sound = true;
  for (std::int64_t j = 1; j <= m; ++j) {
    const auto& path = congestion.paths[j - 1];
    REQUIRE_FALSE(path.empty());
    sound = sound && rows.a.contains(path.front(), j) && path.back() == j + m;
    for (std::size_t e = 0; e < path.size(); ++e) {
      sound = sound && path[e] >= 1 && path[e] <= 2 * m &&
              (e == 0 || rows.b.contains(path[e], path[e - 1]));
      if (sound) ++load[path[e]];
    }
  }
  CHECK(sound);
  CHECK(*std::max_element(load.begin(), load.end()) == congestion.upper);
}

// load * sum of weights >= sum over j of the lightest path j -> j + m, by relaxation from each j.
void check_weights(const Rows& rows, const Congestion& congestion) {
  const std::int64_t m = congestion.copy;
  REQUIRE(static_cast<std::int64_t>(congestion.weights.size()) == 2 * m);
  std::int64_t total = 0;
  for (const std::int64_t weight : congestion.weights) {
    REQUIRE(weight >= 0);
    total += weight;
  }
  std::int64_t paths = 0;
  std::vector<std::int64_t> least(static_cast<std::size_t>(2 * m) + 1);
  for (std::int64_t j = 1; j <= m; ++j) {
    std::fill(least.begin(), least.end(), INT64_MAX);
    for (std::int64_t v = j; v <= j + m; ++v) {
      std::int64_t before = rows.a.contains(v, j) ? 0 : INT64_MAX;
      for_each_position(rows.b, v, [&](std::int64_t u) { before = std::min(before, least[u]); });
      if (before != INT64_MAX) least[v] = before + congestion.weights[v - 1];
    }
    REQUIRE(least[j + m] != INT64_MAX);
    paths += least[j + m];
  }
  CHECK(paths > (congestion.lower - 1) * total);
}

Congestion checked(const Rows& rows, std::int64_t m, const CongestionOptions& options = {}) {
  const auto congestion = copy_congestion(rows, m, options);
  REQUIRE(congestion.ok());
  CHECK(congestion->lower <= congestion->upper);
  check_paths(rows, *congestion);
  check_weights(rows, *congestion);
  return *congestion;
}

// All path systems, token by token, given up where the load exceeds `limit`.
bool can_route(const Rows& rows, std::int64_t m, std::int64_t limit) {
  std::vector<std::int64_t> load(static_cast<std::size_t>(2 * m) + 1, 0);
  const std::function<bool(std::int64_t)> place_token = [&](std::int64_t j) {
    if (j > m) return true;
    const std::function<bool(std::int64_t)> walk_back = [&](std::int64_t v) {
      if (load[v] == limit) return false;
      ++load[v];
      bool found = rows.a.contains(v, j) && place_token(j + 1);
      if (!found) {
        for (std::int64_t u = v - 1; u >= j && !found; --u) {
          found = rows.b.contains(v, u) && walk_back(u);
        }
      }
      --load[v];
      return found;
    };
    return walk_back(j + m);
  };
  return place_token(1);
}

TEST_CASE("bounds enclose the exhaustive optimum on small random patterns") {
  std::mt19937 random(5);
  int compared = 0;
  int closed = 0;
  for (int round = 0; round < 200; ++round) {
    const Pattern pattern = random_pattern(random);
    const std::int64_t m = 1 + static_cast<std::int64_t>(random() % 5);
    INFO(pattern.canonical_text() << " m = " << m);
    const Rows rows = rows_of(pattern, 2 * m);
    if (!copy_congestion(rows, m).ok()) {
      CHECK_FALSE(can_route(rows, m, m));
      continue;
    }
    const Congestion congestion = checked(rows, m, {20'000'000});
    std::int64_t optimum = 1;
    while (!can_route(rows, m, optimum)) ++optimum;
    CHECK(congestion.lower <= optimum);
    CHECK(congestion.upper >= optimum);
    ++compared;
    closed += congestion.exact();
  }
  CHECK(compared > 50);
  CHECK(closed > compared * 9 / 10);
}

TEST_CASE("the copy table of theory") {
  struct Line {
    Pattern pattern;
    std::vector<std::int64_t> values;  // m = 16, 32, 64, 128, 256
  };
  const Line lines[] = {{builtin("linear_recurrence"), {16, 32, 64, 128, 256}},
                        {builtin("order_k_recurrence"), {4, 8, 16, 32, 64}},
                        {builtin("log_recurrence"), {1, 1, 1, 1, 1}},
                        {builtin("log_cached"), {4, 7, 11, 19, 32}},
                        {builtin("sqrt_recurrence"), {3, 3, 3, 3, 3}},
                        {builtin("sqrt_cached"), {6, 7, 11, 16, 23}}};
  for (const Line& line : lines) {
    for (std::size_t e = 0; e < line.values.size(); ++e) {
      const std::int64_t m = 16 << e;
      INFO(line.pattern.name() << " m = " << m);
      const Congestion congestion = checked(rows_of(line.pattern, 2 * m), m);
      CHECK(congestion.lower == line.values[e]);
      CHECK(congestion.upper == line.values[e]);
    }
  }
  const Congestion odd = checked(rows_of(builtin("log_recurrence"), 254), 127);
  CHECK(odd.lower == 5);
  CHECK(odd.upper == 5);
}

// Brackets of five patterns that are in no library and of two that are, cell by cell.
void check_cells(const std::vector<std::int64_t>& sizes) {
  const std::pair<const char*, Pattern> patterns[] = {
      {"cubes", pattern_of("f(k) = k^3 + 1\nA = diagonal\nB = offsets(f)")},
      {"powers of three", pattern_of("f(k) = 3^k\nA = diagonal\nB = offsets(f)")},
      {"triangular", pattern_of("f(k) = floor(k*(k+1)/2) + 1\nA = diagonal\nB = offsets(f)")},
      {"window 7", pattern_of("A = diagonal\nB = window(7)")},
      {"union", pattern_of("f(k) = k^3 + 1\nA = diagonal\n"
                           "B = lattice(f) | window(2) | { i - 5*t : t in 1..3, 5*t < i }")},
      {"fibonacci", builtin("fibonacci_recurrence")},
      {"fibonacci lattice", builtin("fibonacci_cached")}};
  int cells = 0;
  int closed = 0;
  for (const auto& [name, pattern] : patterns) {
    for (const std::int64_t m : sizes) {
      INFO(name << " m = " << m);
      const Congestion congestion = checked(rows_of(pattern, 2 * m), m);
      ++cells;
      closed += congestion.exact();
      CHECK(congestion.upper <= congestion.lower + 1);
    }
  }
  CHECK(closed >= 0.95 * cells);
}

TEST_CASE("patterns outside the library are closed on most cells") { check_cells({16, 64}); }
// On demand: congestion_test [sweep]
TEST_CASE("patterns outside the library are closed on most cells up to 256", "[.][sweep]") {
  check_cells({16, 32, 50, 64, 100, 128, 200, 256});
}

TEST_CASE("large copy tasks of nested rows are closed at once") {
  const std::tuple<Pattern, std::int64_t, std::int64_t> tasks[] = {
      {builtin("log_cached"), 1024, 103},
      {builtin("log_cached"), 4096, 342},  // 4095 paths pass 12 outputs
      {builtin("linear_recurrence"), 2048, 2048},
      {builtin("order_k_recurrence"), 2048, 512},
      {pattern_of("f(k) = k^3 + 1\nA = diagonal\nB = lattice(f)"), 1024, 149}};
  for (const auto& [pattern, m, value] : tasks) {
    INFO(pattern.canonical_text() << " m = " << m);
    // Too little work for a search, which would need more for one look at the reads of each token.
    const Rows rows = rows_of(pattern, 2 * m);
    const auto congestion = copy_congestion(rows, m, {100'000'000});
    REQUIRE(congestion.ok());
    check_paths(rows, *congestion);
    check_weights(rows, *congestion);
    CHECK(congestion->lower == value);
    CHECK(congestion->upper == value);
  }
}

TEST_CASE("large copy tasks are bracketed") {
  const Congestion congestion =
      checked(rows_of(builtin("sqrt_recurrence"), 1024), 512, {200'000'000});
  CHECK(congestion.upper <= congestion.lower + 1);
}

TEST_CASE("attention and dense recurrence copy at no cost") {
  for (const char* name : {"attention", "dense_recurrence", "chacal"}) {
    INFO(name);
    const Congestion congestion = checked(rows_of(builtin(name), 128), 64);
    CHECK(congestion.lower == 1);
    CHECK(congestion.upper == 1);
  }
}

TEST_CASE("congestion times cache is at least n where A is diagonal") {
  for (const char* name : {"log_cached", "sqrt_cached", "fibonacci_cached", "linear_recurrence"}) {
    const Pattern pattern = builtin(name);
    for (const std::int64_t m : {5, 20, 33}) {
      INFO(name << " m = " << m);
      const Rows rows = rows_of(pattern, 2 * m);
      const auto cache = cache_by_row(pattern, rows);
      REQUIRE(cache.ok());
      CHECK(checked(rows, m).lower * cache->size[m - 1] >= m);
    }
  }
}

TEST_CASE("a token that cannot reach its copy makes congestion infinite") {
  const auto window = copy_congestion(rows_of(builtin("local_attention"), 128), 64);
  REQUIRE_FALSE(window.ok());
  CHECK(window.error().message == "infinite: token 1 does not reach token 65");
  CHECK(copy_congestion(rows_of(builtin("local_attention"), 126), 63).ok());
}

}  // namespace
}  // namespace heddle
