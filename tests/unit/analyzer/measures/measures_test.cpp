// SPDX-License-Identifier: Apache-2.0
// The facade hands through what the parts compute, applies the documented defaults, and says why a
// number is missing.
#include "analyzer/measures/measures.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

namespace heddle {
namespace {

using testing::builtin;
using testing::pattern_of;
using testing::rows_of;

Measures measured(const Pattern& pattern, std::int64_t n, const MeasureOptions& options = {}) {
  return measure(pattern, rows_of(pattern, n), options);
}

TEST_CASE("measures of the cached square-root pattern") {
  const Measures measures = measured(builtin("sqrt_cached"), 256);
  CHECK(measures.n == 256);
  CHECK(measures.time_by_row.size() == 256);
  // Row 1 reads x_1 only; row 2 also reads y_1.
  CHECK(measures.time_by_row[0] == 1);
  CHECK(measures.time_by_row[1] == 2);
  CHECK(measures.time_max() >= measures.time_at_n());
  CHECK(measures.depth_at_n() == 255);
  REQUIRE(measures.cache.ok());
  CHECK_FALSE(measures.cache->horizon);
  CHECK(max_of(*measures.cache) >= measures.cache->size.back());
  CHECK(measures.hops->unreachable_pairs == 0);
  REQUIRE(measures.rank.ok());
  CHECK(measures.rank->cut == 128);
  CHECK(measures.rank->value == 9);
  REQUIRE(measures.congestion.ok());
  CHECK(measures.congestion->copy == 64);
  CHECK(measures.congestion->upper == 11);
}

TEST_CASE("time counts the positions of both rows") {
  const Measures attention = measured(builtin("attention"), 10);
  CHECK(attention.time_by_row == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(attention.time_total() == 55);
  const Measures chacal = measured(builtin("chacal"), 10);
  CHECK(chacal.time_total() == 100);
  // f(k) = 2^k < i: k = 0, 1, 2 for i = 5..8.
  const Measures log = measured(builtin("log_recurrence"), 8);
  CHECK(log.time_by_row == std::vector<std::int64_t>{1, 2, 3, 3, 4, 4, 4, 4});
}

TEST_CASE("options choose the cut and the copy task, also beyond n / 2") {
  MeasureOptions options;
  options.cut = 3;
  options.copy = 16;
  const Measures measures = measured(builtin("order_k_recurrence"), 10, options);
  REQUIRE(measures.rank.ok());
  CHECK(measures.rank->value == 3);
  REQUIRE(measures.congestion.ok());
  CHECK(measures.congestion->lower == 4);
  options.cut = 11;
  options.copy = 0;
  const Measures refused = measured(builtin("order_k_recurrence"), 10, options);
  CHECK(refused.rank.error().message == "the cut 11 lies outside 0..10");
  CHECK(refused.congestion.error().message == "a copy task needs a token and its copy");
}

TEST_CASE("a single token has measures") {
  const Measures measures = measured(builtin("sqrt_recurrence"), 1);
  CHECK(measures.time_total() == 1);
  CHECK(measures.depth_at_n() == 0);
  CHECK(measures.hops->reachable_pairs == 0);
  CHECK_FALSE(measures.hops->witness);
  CHECK(measures.rank->value == 0);
  CHECK_FALSE(measures.congestion.ok());
}

TEST_CASE("searches that would take too long are replaced by samples") {
  const std::int64_t n = (1 << 16) + 2;
  MeasureOptions options;
  options.copy = 1;
  options.hops.sample_work = 1;
  options.hops.work = 1;
  const Measures lattice = measured(builtin("log_cached"), n, options);
  REQUIRE(lattice.hops.ok());
  CHECK(lattice.hops->sample);
  CHECK(lattice.rank.ok());
  const Measures offsets = measured(builtin("log_recurrence"), n, options);
  REQUIRE(offsets.hops.ok());
  CHECK(offsets.hops->max == 16);
}

TEST_CASE("a set without a rule is counted up to the horizon and says so") {
  const Pattern pattern = pattern_of("A = diagonal\nB = { i - t : t >= 1, t < i, t mod 3 = 1 }");
  const Measures measures = measured(pattern, 50);
  REQUIRE(measures.cache.ok());
  CHECK(measures.cache->horizon == 200);
  CHECK(measures.cache->size.back() == 50);
  MeasureOptions options;
  options.horizon = 300;
  CHECK(measured(pattern, 50, options).cache->horizon == 300);
}

}  // namespace
}  // namespace heddle
