// SPDX-License-Identifier: Apache-2.0
// From pattern text to rows, for the tests of the measures. Anything unexpected fails the test.
#pragma once

#include <map>
#include <string>

#include "patterns/builtin_patterns.hpp"
#include "patterns/materialize.hpp"
#include "patterns/parser.hpp"
#include "tests/catch.hpp"

namespace heddle::testing {

inline Pattern pattern_of(const Source& source,
                          const std::map<std::string, Integer>& overrides = {}) {
  Diagnostics diagnostics;
  auto syntax = parse(source, diagnostics);
  INFO(source.text);
  INFO(render(diagnostics, source));
  REQUIRE_FALSE(diagnostics.has_errors());
  REQUIRE(syntax.size() == 1);
  auto pattern = resolve(std::move(syntax[0]), overrides, diagnostics);
  INFO(render(diagnostics, source));
  REQUIRE(pattern);
  return *pattern;
}

// `body` holds the statements between the braces.
inline Pattern pattern_of(const std::string& body) {
  return pattern_of(Source{"test", "pattern p {\n" + body + "\n}\n"});
}

inline Pattern builtin(const std::string& name,
                       const std::map<std::string, Integer>& overrides = {}) {
  const BuiltinPattern* found = find_builtin(name);
  INFO(name);
  REQUIRE(found);
  return pattern_of(source_of(*found), overrides);
}

inline Rows rows_of(const Pattern& pattern, std::int64_t n) {
  const MaterializeResult result = materialize(pattern, n);
  INFO(pattern.canonical_text());
  REQUIRE(std::holds_alternative<Rows>(result));
  return std::get<Rows>(result);
}

}  // namespace heddle::testing
