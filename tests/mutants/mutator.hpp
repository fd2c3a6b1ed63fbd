// SPDX-License-Identifier: Apache-2.0
// Breaks the text of a kernel in one place, in the ways that people and generators do: a dropped
// barrier, a bound off by one, a wrong stride, a missing term. Works on the tokens of the body
// only, so that the signature, which the manifest fixes, stays.
#pragma once

#include <string>
#include <vector>

namespace heddle::mutants {

// What a mutant endangers first. kMemory: indices, bounds, guards, barriers, lanes, the life of
// storage. kValue: the arithmetic on reals that makes the result.
enum class Danger { kMemory, kValue };
const char* name_of(Danger danger);  // "memory", "value"

struct Mutant {
  std::string rule;  // "drop_barrier", "less_to_less_equal", ...
  Danger danger = Danger::kMemory;
  int line = 0;        // of the text, from 1
  std::string before;  // that line, trimmed
  std::string after;   // what became of it; empty when it is gone
  std::string text;    // the whole text
};

// Every mutant of every rule, in the order of the text.
std::vector<Mutant> mutants_of(const std::string& text);

}  // namespace heddle::mutants
