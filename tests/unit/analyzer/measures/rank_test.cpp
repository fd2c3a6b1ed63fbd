// SPDX-License-Identifier: Apache-2.0
// Rank against Gaussian elimination on random values modulo a prime, at every cut, and cuts against
// a search that tries to get around them.
#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "analyzer/measures/cut_flow.hpp"
#include "analyzer/measures/dependency_graph.hpp"
#include "analyzer/measures/rank.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::builtin;
using testing::pattern_of;
using testing::random_pattern;
using testing::rows_of;

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(Wide{a} * b % kPrime);
}

std::uint64_t inverse(std::uint64_t value) {
  std::uint64_t result = 1;
  for (std::uint64_t exponent = kPrime - 2; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result = product(result, value);
    value = product(value, value);
  }
  return result;
}

using Matrix = std::vector<std::vector<std::uint64_t>>;

std::int64_t rank_of(Matrix matrix) {
  std::int64_t rank = 0;
  const std::size_t columns = matrix.empty() ? 0 : matrix[0].size();
  for (std::size_t c = 0; c < columns; ++c) {
    auto pivot = static_cast<std::size_t>(rank);
    while (pivot < matrix.size() && matrix[pivot][c] == 0) ++pivot;
    if (pivot == matrix.size()) continue;
    std::swap(matrix[pivot], matrix[rank]);
    const std::uint64_t scale = inverse(matrix[rank][c]);
    for (std::size_t r = static_cast<std::size_t>(rank) + 1; r < matrix.size(); ++r) {
      const std::uint64_t factor = product(matrix[r][c], scale);
      for (std::size_t e = c; factor != 0 && e < columns; ++e) {
        matrix[r][e] = (matrix[r][e] + product(kPrime - factor, matrix[rank][e])) % kPrime;
      }
    }
    ++rank;
  }
  return rank;
}

// (I - B)^-1 A for random values: row i is A's row plus B's row times the rows before.
Matrix random_mixer(const Rows& rows, std::mt19937_64& random) {
  const std::int64_t n = rows.n();
  const auto value = [&] { return 1 + random() % (kPrime - 1); };
  Matrix result(static_cast<std::size_t>(n), std::vector<std::uint64_t>(n, 0));
  for (std::int64_t i = 1; i <= n; ++i) {
    auto& row = result[i - 1];
    for_each_position(rows.a, i, [&](std::int64_t j) { row[j - 1] = value(); });
    for_each_position(rows.b, i, [&](std::int64_t m) {
      const std::uint64_t weight = value();
      for (std::int64_t j = 0; j < m; ++j) {
        row[j] = (row[j] + product(weight, result[m - 1][j])) % kPrime;
      }
    });
  }
  return result;
}

// Of its block with rows after the cut and columns up to it.
std::int64_t block_rank(const Matrix& mixer, std::int64_t cut) {
  Matrix block(mixer.begin() + cut, mixer.end());
  for (auto& row : block) row.resize(static_cast<std::size_t>(cut));
  return rank_of(std::move(block));
}

// Is there a path from an input up to the cut to an output after it that avoids `removed`?
bool can_cross(const Rows& rows, std::int64_t cut, const std::vector<GraphVertex>& removed) {
  const std::int64_t n = rows.n();
  std::vector<bool> no_input(n + 1, false);
  std::vector<bool> no_output(n + 1, false);
  for (const GraphVertex& vertex : removed) {
    (vertex.side == Side::kA ? no_input : no_output)[vertex.token] = true;
  }
  std::vector<bool> reached(n + 1, false);
  for (std::int64_t i = 1; i <= n; ++i) {
    if (no_output[i]) continue;
    for (std::int64_t j = 1; j <= std::min(i, cut); ++j) {
      if (!no_input[j] && rows.a.contains(i, j)) reached[i] = true;
    }
    for (std::int64_t m = 1; m < i; ++m) {
      if (reached[m] && rows.b.contains(i, m)) reached[i] = true;
    }
    if (i > cut && reached[i]) return true;
  }
  return false;
}

TEST_CASE("rank is the rank of random values, and the cut separates") {
  std::mt19937 shapes(11);
  std::mt19937_64 values(12);
  int needed_flow = 0;
  for (int round = 0; round < 400; ++round) {
    const Pattern pattern = random_pattern(shapes);
    const std::int64_t n = 2 + static_cast<std::int64_t>(shapes() % 60);
    const std::int64_t cut = 1 + static_cast<std::int64_t>(shapes() % (n - 1));
    INFO(pattern.canonical_text() << " n " << n << " cut " << cut);
    const Rows rows = rows_of(pattern, n);
    const RankResult rank = *rank_across(rows, cut);
    CHECK(rank.value == block_rank(random_mixer(rows, values), cut));
    needed_flow += rank.lower == "a maximum flow";

    DisjointPaths paths = max_disjoint_paths(rows, cut);
    CHECK(paths.count == rank.value);
    CHECK(static_cast<std::int64_t>(paths.cut_set.size()) == paths.count);
    CHECK_FALSE(can_cross(rows, cut, paths.cut_set));
    if (!paths.cut_set.empty()) {  // no vertex of it is idle
      paths.cut_set.pop_back();
      CHECK(can_cross(rows, cut, paths.cut_set));
    }
  }
  CHECK(needed_flow > 20);
}

// Paths of the pattern without a common vertex, from inputs up to the cut, past it once.
void check_disjoint(const Rows& rows, const CutFlow& flow) {
  std::vector<GraphVertex> used;
  bool sound = true;
  for (const auto& path : flow.paths()) {
    REQUIRE(path.size() >= 2);
    sound = sound && path[0].side == Side::kA && path[0].token <= flow.cut();
    sound = sound && path.back().token > flow.cut();
    for (std::size_t e = 1; e < path.size(); ++e) {
      sound = sound && path[e].side == Side::kB;
      sound = sound && (e + 1 == path.size() || path[e].token <= flow.cut());
      sound = sound && (e == 1 ? rows.a : rows.b).contains(path[e].token, path[e - 1].token);
    }
    for (const GraphVertex& vertex : path) {
      sound = sound && std::find(used.begin(), used.end(), vertex) == used.end();
      used.push_back(vertex);
    }
  }
  CHECK(sound);
  CHECK(static_cast<std::int64_t>(flow.paths().size()) == flow.value());
}

TEST_CASE("the flow that follows the cut is the rank of random values at every cut") {
  std::mt19937 shapes(21);
  std::mt19937_64 values(22);
  for (int round = 0; round < 250; ++round) {
    const Pattern pattern = random_pattern(shapes);
    const std::int64_t n = 2 + static_cast<std::int64_t>(shapes() % 34);
    const Rows rows = rows_of(pattern, n);
    const Matrix mixer = random_mixer(rows, values);
    INFO(pattern.canonical_text() << " n " << n);
    auto flow = CutFlow::build(rows);
    REQUIRE(flow.ok());
    for (std::int64_t cut = 1; cut <= n; ++cut) {
      flow->advance();
      INFO("cut " << cut);
      REQUIRE(flow->cut() == cut);
      REQUIRE(flow->value() == block_rank(mixer, cut));
      check_disjoint(rows, *flow);
      const std::vector<GraphVertex> least = flow->minimum_cut();
      REQUIRE(static_cast<std::int64_t>(least.size()) == flow->value());
      REQUIRE_FALSE(can_cross(rows, cut, least));
    }
  }
}

TEST_CASE("one flow gives the ranks that single searches give, at sizes of use") {
  for (const char* name : {"sqrt_cached", "log_cached", "fibonacci_recurrence", "chacal"}) {
    INFO(name);
    const Rows rows = rows_of(builtin(name), 300);
    const auto all = rank_by_cut(rows);
    REQUIRE(all.ok());
    REQUIRE(all->size() == 301);
    for (std::int64_t cut = 0; cut <= 300; cut += 7) {
      CHECK((*all)[static_cast<std::size_t>(cut)] == rank_across(rows, cut)->value);
    }
  }
}

TEST_CASE("rank of the built-in patterns is that of theory") {
  const auto half_rank = [](const Pattern& pattern, std::int64_t n) {
    return rank_across(rows_of(pattern, n), n / 2)->value;
  };
  const std::pair<std::int64_t, std::vector<std::int64_t>> cases[] = {
      {64, {32, 32, 6, 5}}, {256, {128, 128, 8, 9}}, {1024, {512, 512, 10, 17}}};
  for (const auto& [n, values] : cases) {
    INFO("n = " << n);
    CHECK(half_rank(builtin("log_recurrence"), n) == values[0]);
    CHECK(half_rank(builtin("sqrt_recurrence"), n) == values[1]);
    CHECK(half_rank(builtin("log_cached"), n) == values[2]);
    CHECK(half_rank(builtin("sqrt_cached"), n) == values[3]);
  }
  for (const int w : {1, 4, 9}) {
    const Pattern window = builtin("order_k_recurrence", {{"k", Integer(w)}});
    CHECK(half_rank(window, 64) == w);
  }
  CHECK(half_rank(builtin("dense_recurrence"), 100) == 50);
  CHECK(half_rank(builtin("attention"), 100) == 50);
  CHECK(half_rank(builtin("linear_recurrence"), 100) == 1);
}

TEST_CASE("nothing crosses at the ends") {
  const Rows rows = rows_of(builtin("attention"), 10);
  CHECK(rank_across(rows, 0)->value == 0);
  CHECK(rank_across(rows, 10)->value == 0);
}

}  // namespace
}  // namespace heddle
