// SPDX-License-Identifier: Apache-2.0
#include "analyzer/measures/comparison.hpp"

#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using namespace heddle::testing;

namespace {

ComparedPattern compared_at(const Pattern& pattern, std::int64_t n) {
  const MaterializeResult rows = materialize(pattern, n);
  REQUIRE(std::holds_alternative<Rows>(rows));
  return compared(pattern, measure(pattern, std::get<Rows>(rows)));
}

ComparedPattern point(std::int64_t time, std::int64_t cache, std::int64_t lower,
                      std::int64_t upper) {
  ComparedPattern cell;
  cell.time = time;
  cell.cache = cache;
  cell.congestion_lower = lower;
  cell.congestion_upper = upper;
  return cell;
}

}  // namespace

TEST_CASE("the numbers of a pattern are those of its measures") {
  const ComparedPattern cell = compared_at(builtin("log_cached"), 256);
  CHECK(cell.pattern == "log_cached");
  CHECK(cell.n == 256);
  CHECK(cell.time == 9);
  CHECK(cell.cache == 9);
  CHECK(cell.depth == 255);
  CHECK(cell.copy == 64);
  CHECK(cell.congestion_lower == 11);
  CHECK(cell.rank == 8);
  CHECK(cell.reasons.empty());
}

TEST_CASE("what cannot be reached is infinite, not missing") {
  const ComparedPattern cell = compared_at(builtin("local_attention", {{"w", 4}}), 64);
  CHECK(cell.hops == ComparedPattern::kInfinite);
  CHECK(cell.congestion_upper == ComparedPattern::kInfinite);
  REQUIRE(cell.reasons.size() == 1);
  CHECK(cell.reasons[0].find("congestion: infinite: token 1 does not reach") == 0);
}

TEST_CASE("dominance needs one measure better and none worse, for certain") {
  CHECK(dominates(point(1, 1, 1, 1), point(1, 1, 2, 2)));
  CHECK(dominates(point(1, 1, 1, 1), point(2, 1, 1, 1)));
  CHECK_FALSE(dominates(point(1, 1, 1, 1), point(1, 1, 1, 1)));
  CHECK_FALSE(dominates(point(1, 2, 1, 1), point(2, 1, 1, 1)));
  // 1..3 may be 3, and 2..4 may be 2.
  CHECK_FALSE(dominates(point(1, 1, 1, 3), point(1, 1, 2, 4)));
  CHECK(dominates(point(1, 1, 1, 2), point(1, 1, 3, 4)));
  ComparedPattern unknown = point(9, 9, 9, 9);
  unknown.cache.reset();
  CHECK_FALSE(dominates(point(1, 1, 1, 1), unknown));
}

TEST_CASE("the front leaves out what another pattern of the same n beats") {
  std::vector<ComparedPattern> cells = {point(1, 9, 1, 1), point(9, 1, 1, 1), point(9, 9, 1, 1),
                                        point(9, 9, 1, 1)};
  cells[3].n = 7;
  CHECK(pareto_front(cells) == std::vector<bool>{true, true, false, true});
}
