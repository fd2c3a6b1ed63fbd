// SPDX-License-Identifier: Apache-2.0
// Expressions and conditions of the language as Coq terms over the naturals. Nothing is said where
// that would change a meaning: a difference is written only where it is never negative, and
// otherwise moved to the other side of a comparison.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "patterns/pattern.hpp"

namespace heddle::coq {

struct Scope {
  const Pattern& pattern;
  std::map<std::string, std::string> names = {};     // variables, as Coq calls them
  std::map<std::string, std::string> measures = {};  // "time(i)", as Coq calls its value
  std::map<std::string, Integer> least = {};         // lower bounds of variables; 0 where none
  bool j_before_i = false;
};

// How tightly the place binds that the text goes to.
enum Binding { kAny, kSum, kProduct, kPower, kAtom };

// "2 ^ k + 1"
std::optional<std::string> term(const Expression& expression, const Scope& scope,
                                Binding place = kAny);
// "i <= j + 4 /\ j < i"
std::optional<std::string> proposition(const Condition& condition, const Scope& scope);
// "p + 64 * t = i" for the position i - 64 t
std::optional<std::string> equation(const std::string& name, const Expression& value,
                                    const Scope& scope);

// A sum of products: the text of each, "" for 1, with its factor.
using Sum = std::map<std::string, Integer>;
std::optional<Sum> sum_of(const Expression& expression, const Scope& scope);
Sum difference(Sum left, const Sum& right);
// The text of a sum none of whose factors is negative.
std::string text_of(const Sum& sum);

// A term as an argument: "i", "(i - j)".
std::string argument(const std::string& term);

// What Coq calls a function of the pattern.
std::string function_name(const std::string& name);
// A number that the parameters alone determine.
std::optional<Integer> constant(const Expression& expression, const Pattern& pattern);

}  // namespace heddle::coq
