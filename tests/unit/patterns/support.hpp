// SPDX-License-Identifier: Apache-2.0
// Pattern text to Pattern for tests; fails the test with the rendered diagnostics.
#pragma once

#include <map>
#include <string>

#include "patterns/materialize.hpp"
#include "patterns/parser.hpp"
#include "tests/catch.hpp"

namespace heddle::test {

inline Pattern pattern_of(const std::string& text,
                          const std::map<std::string, Integer>& parameters = {}) {
  const Source source{"test.heddle", text};
  Diagnostics diagnostics;
  auto parsed = parse(source, diagnostics);
  INFO(render(diagnostics, source));
  REQUIRE(!diagnostics.has_errors());
  REQUIRE(parsed.size() == 1);
  auto pattern = resolve(parsed.front(), parameters, diagnostics);
  INFO(render(diagnostics, source));
  REQUIRE(pattern.has_value());
  return *pattern;
}

inline Rows rows_of(const Pattern& pattern, std::int64_t n) {
  MaterializeResult result = materialize(pattern, n);
  REQUIRE(std::holds_alternative<Rows>(result));
  return std::get<Rows>(std::move(result));
}

}  // namespace heddle::test
