// SPDX-License-Identifier: Apache-2.0
// From pattern text to rows, for the tests of the measures. Anything unexpected fails the test.
#pragma once

#include <map>
#include <random>
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

// Random unions of the shapes the language offers.
inline std::string random_set(std::mt19937& random, bool inputs) {
  const auto number = [&](int low, int count) {
    return std::to_string(low + static_cast<int>(random() % static_cast<unsigned>(count)));
  };
  std::string set = inputs && random() % 4 != 0 ? "diagonal" : "none";
  for (auto parts = random() % 4; parts > 0; --parts) {
    const std::string s = number(2, 6);
    const std::string choices[] = {
        "window(" + number(1, 40) + ")",
        "offsets(f)",
        "lattice(f)",
        "{ i - " + s + "*t : t >= 1, " + s + "*t < i }",
        "{ " + s + "*t : t >= 1, " + s + "*t < i }",
        "{ i - " + s + " : " + s + " < i, i mod 3 = 0 }",
        "{ 1..min(" + s + ", i - 1) }",
    };
    set += " | " + choices[random() % std::size(choices)];
  }
  return set;
}

inline Pattern random_pattern(std::mt19937& random) {
  const char* functions[] = {"f(k) = k^3 + 1", "f(k) = 3^k", "f(k) = floor(k*(k+1) / 2) + 1",
                             "f(0) = 1, f(1) = 2, f(k+2) = 2*f(k+1) + f(k)", "f(k) = 2^k"};
  return pattern_of(std::string(functions[random() % std::size(functions)]) +
                    "\nA = " + random_set(random, true) + "\nB = " + random_set(random, false));
}

}  // namespace heddle::testing
