// SPDX-License-Identifier: Apache-2.0
// Path counts against enumeration, and the uniform mixing against the matrix that defines it.
#include <cmath>
#include <functional>
#include <random>

#include "analyzer/measures/mixing.hpp"
#include "analyzer/measures/path_counts.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::builtin;
using testing::pattern_of;
using testing::random_pattern;
using testing::rows_of;

// Every path, one at a time.
std::int64_t enumerate(const Rows& rows, std::int64_t from, std::int64_t to) {
  std::int64_t count = rows.a.contains(to, from);
  for (std::int64_t u = from; u < to; ++u) {
    if (rows.b.contains(to, u)) count += enumerate(rows, from, u);
  }
  return count;
}

TEST_CASE("counted paths are those that can be listed") {
  std::mt19937 random(31);
  for (int round = 0; round < 200; ++round) {
    const Pattern pattern = random_pattern(random);
    const std::int64_t n = 1 + static_cast<std::int64_t>(random() % 14);
    INFO(pattern.canonical_text() << " n " << n);
    const Rows rows = rows_of(pattern, n);
    for (std::int64_t from = 1; from <= n; from += 3) {
      const PathCounts counts = count_paths(rows, from);
      REQUIRE(counts.last() == n);
      for (std::int64_t i = from; i <= n; ++i) {
        CHECK(counts.to[static_cast<std::size_t>(i - from)] == Integer(enumerate(rows, from, i)));
      }
    }
  }
}

TEST_CASE("path counts with known values") {
  // Each output after the first doubles the sum of all before it.
  const PathCounts dense = count_paths(rows_of(builtin("dense_recurrence"), 300), 1);
  CHECK(dense.to.back() == *power(2, 298, 1000));
  // Steps of 1 and 2: Fibonacci numbers.
  const PathCounts pairs =
      count_paths(rows_of(builtin("order_k_recurrence", {{"k", Integer(2)}}), 101), 1);
  CHECK(pairs.to.back().to_string() == "573147844013817084101");
  CHECK(count_paths(rows_of(builtin("linear_recurrence"), 500), 1).to.back() == Integer(1));
  CHECK(count_paths(rows_of(builtin("local_attention"), 100), 1).to.back() == Integer(0));
}

TEST_CASE("counting ends where the options say") {
  const Rows rows = rows_of(builtin("sqrt_recurrence"), 400);
  PathOptions options;
  options.last = 50;
  CHECK(count_paths(rows, 1, options).last() == 50);
  CHECK(count_paths(rows, 60, options).last() == 60);
  options.last = 400;
  options.work = 100;
  const PathCounts few = count_paths(rows, 1, options);
  CHECK(few.last() < 60);
  CHECK(few.to.back() == count_paths(rows, 1).to[static_cast<std::size_t>(few.last() - 1)]);
}

// Row n of (I - B)^-1 A with equal coefficients in each row, row by row from the first.
std::vector<double> last_row(const Rows& rows) {
  const std::int64_t n = rows.n();
  std::vector<std::vector<double>> mixer;
  for (std::int64_t i = 1; i <= n; ++i) {
    std::vector<double> row(static_cast<std::size_t>(n) + 1, 0.0);
    const double each = 1.0 / static_cast<double>(rows.a.size(i) + rows.b.size(i));
    for (std::int64_t p = 1; p <= i; ++p) {
      if (rows.a.contains(i, p)) row[p] += each;
      if (p == i || !rows.b.contains(i, p)) continue;
      for (std::int64_t j = 1; j <= p; ++j) row[j] += each * mixer[p - 1][j];
    }
    mixer.push_back(row);
  }
  return mixer.back();
}

TEST_CASE("mixing is the last row of the uniform mixer") {
  std::mt19937 random(32);
  int lossy = 0;
  for (int round = 0; round < 300; ++round) {
    const Pattern pattern = random_pattern(random);
    const std::int64_t n = 1 + static_cast<std::int64_t>(random() % 80);
    INFO(pattern.canonical_text() << " n " << n);
    const Rows rows = rows_of(pattern, n);
    const Mixing mixing = uniform_mixing(rows);
    const std::vector<double> row = last_row(rows);
    double sum = 0, age = 0;
    std::int64_t half = -1;
    REQUIRE(mixing.weight.size() == static_cast<std::size_t>(n));
    for (std::int64_t j = 1; j <= n; ++j) {
      REQUIRE(mixing.weight[static_cast<std::size_t>(n - j)] == Approx(row[j]).margin(1e-12));
      sum += row[j];
      age += row[j] * static_cast<double>(n - j);
    }
    CHECK(mixing.lost == Approx(1 - sum).margin(1e-12));
    lossy += mixing.lost > 0.01 && mixing.lost < 0.99;
    if (sum < 1e-9) {
      CHECK(mixing.half_life() == -1);
      continue;
    }
    CHECK(mixing.mean_age == Approx(age / sum).margin(1e-9));
    double young = 0;
    for (std::int64_t t = 0; t < n && half < 0; ++t) {
      young += row[n - t];
      if (young >= sum / 2 - 1e-12) half = t;
    }
    CHECK(mixing.half_life() == half);
    CHECK(mixing.older_than(half) == Approx(sum - young).margin(1e-9));
  }
  CHECK(lossy > 10);
}

TEST_CASE("how far simple patterns remember") {
  // Attention weighs all tokens alike.
  const Mixing attention = uniform_mixing(rows_of(builtin("attention"), 1000));
  CHECK(attention.half_life() == 499);
  CHECK(attention.mean_age == Approx(499.5));
  // A first-order recurrence halves what it keeps in each step.
  const Mixing linear = uniform_mixing(rows_of(builtin("linear_recurrence"), 1000));
  CHECK(linear.half_life() == 0);
  CHECK(linear.weight[5] == Approx(std::pow(0.5, 6)));
  CHECK(linear.older_than(9) == Approx(std::pow(0.5, 10)));
}

}  // namespace
}  // namespace heddle
