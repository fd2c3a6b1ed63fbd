// SPDX-License-Identifier: Apache-2.0
// Rows for the tests of the oracle and of what is checked against it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "patterns/builtin_patterns.hpp"
#include "patterns/materialize.hpp"
#include "patterns/parser.hpp"
#include "runtime/reference/problem.hpp"
#include "tests/catch.hpp"

namespace heddle::test {

using RowRule = std::function<IntervalList(std::int64_t)>;

// Rows 1..n from two rules written out in the test, without the language in between.
inline Rows rows_of(std::int64_t n, const RowRule& a, const RowRule& b) {
  Rows rows;
  for (std::int64_t i = 1; i <= n; ++i) {
    rows.a.append_row(normalized(a(i)));
    rows.b.append_row(normalized(b(i)));
  }
  return rows;
}

inline IntervalList diagonal(std::int64_t i) { return {{i, i}}; }
inline IntervalList all_until(std::int64_t i) { return {{1, i}}; }
inline IntervalList all_before(std::int64_t i) { return {{1, i - 1}}; }
inline IntervalList previous(std::int64_t i) { return {{i - 1, i - 1}}; }

// Any causal pattern: each position with probability 1 / sparsity.
inline Rows random_rows(std::int64_t n, std::int64_t sparsity, std::uint64_t seed) {
  RandomSource random(seed);
  const auto some_of = [&](std::int64_t last) {
    IntervalList chosen;
    for (std::int64_t p = 1; p <= last; ++p) {
      if (random.below(sparsity) == 0) chosen.push_back({p, p});
    }
    return chosen;
  };
  return rows_of(
      n, [&](std::int64_t i) { return some_of(i); },
      [&](std::int64_t i) { return some_of(i - 1); });
}

inline Pattern pattern_of(const Source& source) {
  Diagnostics diagnostics;
  std::vector<PatternSyntax> patterns = parse(source, diagnostics);
  REQUIRE(patterns.size() == 1);
  std::optional<Pattern> pattern = resolve(std::move(patterns.front()), {}, diagnostics);
  REQUIRE(pattern.has_value());
  return *std::move(pattern);
}

inline Pattern builtin(const std::string& name) {
  const BuiltinPattern* found = find_builtin(name);
  REQUIRE(found != nullptr);
  return pattern_of(source_of(*found));
}

inline Rows builtin_rows(const std::string& name, std::int64_t n) {
  MaterializeResult result = materialize(builtin(name), n);
  REQUIRE(std::holds_alternative<Rows>(result));
  return std::get<Rows>(std::move(result));
}

}  // namespace heddle::test
