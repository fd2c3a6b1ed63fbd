// SPDX-License-Identifier: Apache-2.0
// A function k -> f(k) of the pattern, or of the distances that a set spells out: what it is in
// Coq, and the lemmas about it that sizes and hops are derived from.
#pragma once

#include <optional>
#include <string>

#include "analyzer/coq/expressions.hpp"

namespace heddle::coq {

struct Function {
  std::string name;
  std::string definition;  // empty where there is none in this form
  std::string lemmas;      // NAME_increases, NAME_start, NAME_counts, as far as they are known
  bool increases = false;
  Integer start;  // f(0)
  bool power_of_two = false;
  std::string ratio;  // of its gaps, where that is constant: NAME_gaps
  bool square_plus_one = false;
  bool at_most_doubles = false;  // f(k+1) <= 2 f(k): NAME_doubles
  bool unfolds = false;          // a polynomial, whose values arithmetic knows
  int doubles_after = 0;         // f(k+m) >= 2 f(k) for this m; 0 where none is known
  int slows_to = 0;              // f(k+1) <= 2^e f(k) for this e, f(0) = 1; 0 where none is known

  // Whether the number of values below i is known from below, too.
  bool counted_from_below() const { return unfolds || power_of_two || slows_to > 0; }
};

// Sentences as one tactic: "a. b." as "a; b".
std::string one_tactic(std::string proof);

// The functions that the text names.
Function function_of(const FunctionDefinition& definition, const Pattern& pattern);
// k -> value where `variable` is k + low.
Function function_of(const std::string& name, const Expression& value, const std::string& variable,
                     const Integer& low, const Pattern& pattern);

// What counts f i c says of c, in the words of `numbers`.
std::string what_counts(const Function& function, const std::string& i, const std::string& c);

}  // namespace heddle::coq
