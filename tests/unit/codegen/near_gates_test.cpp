// SPDX-License-Identifier: Apache-2.0
// What is claimed of the entries that rows of a lattice have within a chunk, held against the rows
// themselves: room for fewer gates than a row has would be room that it writes beyond.
#include "codegen/schedule/near_gates.hpp"

#include <algorithm>

#include "codegen/make_spec.hpp"
#include "patterns/materialize.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

constexpr std::int64_t kRows = 1200;

using Entries = schedule::NearGates::Entries;

std::optional<Entries> entries_of(const Pattern& pattern, int rows) {
  GenerateOptions options;
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGated;
  const Result<rows::RowPlan> a = rows::plan_row(pattern, Side::kA);
  const Result<rows::RowPlan> b = rows::plan_row(pattern, Side::kB);
  REQUIRE((a.ok() && b.ok()));
  const Result<schedule::KernelSpec> spec = make_spec(pattern, *a, *b, options);
  REQUIRE(spec.ok());
  return schedule::NearGates::entries_of(*spec, rows);
}

Pattern lattice_of(const std::string& f) {
  return pattern_of("pattern other {\n  f(k) = " + f + "\n  A = diagonal\n  B = lattice(f)\n}\n");
}

// The entries of row i less than `rows` before it, the nearest first.
std::vector<std::int64_t> distances(const Rows& table, std::int64_t i, int rows) {
  std::vector<std::int64_t> found;
  for (std::int64_t distance = 1; distance < std::min<std::int64_t>(rows, i); ++distance) {
    if (table.b.contains(i, i - distance)) found.push_back(distance);
  }
  return found;
}

// Largest number of them that any row has.
int check_claim(const Entries& entries, const Rows& table, int rows) {
  int most = 0;
  for (std::int64_t i = 1; i <= kRows; ++i) {
    const std::vector<std::int64_t> found = distances(table, i, rows);
    most = std::max(most, static_cast<int>(found.size()));
    for (std::size_t number = 0; number < entries.always.size(); ++number) {
      const std::int64_t distance = entries.always[number];
      if (i <= distance) continue;
      INFO("row " << i);
      REQUIRE(number < found.size());
      REQUIRE(found[number] == distance);
    }
    // Those that follow lie behind as many rows as come first.
    for (std::size_t number = entries.always.size(); number < found.size(); ++number) {
      REQUIRE(found[number] > static_cast<std::int64_t>(entries.always.size()));
    }
  }
  return most;
}

TEST_CASE("no row has more entries within a chunk than are claimed") {
  const std::vector<Pattern> patterns = {builtin("log_cached"),       builtin("sqrt_cached"),
                                         builtin("fibonacci_cached"), lattice_of("2 * k + 1"),
                                         lattice_of("k^3 + 1"),       lattice_of("3^k"),
                                         lattice_of("k^2 + k + 1")};
  int claimed = 0, reached = 0;
  for (const Pattern& pattern : patterns) {
    const Rows table = std::get<Rows>(materialize(pattern, kRows + 1));
    for (const int rows : {1, 2, 3, 7, 8, 16, 31, 32, 33, 64}) {
      INFO(pattern.name() << ", " << rows << " rows");
      const std::optional<Entries> entries = entries_of(pattern, rows);
      if (!entries) continue;
      ++claimed;
      const int most = check_claim(*entries, table, rows);
      CHECK(most <= entries->most);
      if (most == entries->most) ++reached;
    }
  }
  CHECK(claimed >= 30);
  // Nor is much more claimed: rows this far do have that many, but for a few that repeat later.
  CHECK(reached * 10 >= claimed * 9);
}

TEST_CASE("nothing is claimed of rows that are no lattice, or have too many or no entries") {
  const auto none = [](const Pattern& pattern, int rows) {
    return !entries_of(pattern, rows).has_value();
  };
  CHECK(none(builtin("linear_recurrence"), 32));
  CHECK(none(lattice_of("k + 1"), 32));
  CHECK(none(lattice_of("k^2 + k + 1"), 1));
  CHECK(!none(builtin("log_cached"), 32));
}

}  // namespace
}  // namespace heddle::test
