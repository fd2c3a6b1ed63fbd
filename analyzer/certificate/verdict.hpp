// SPDX-License-Identifier: Apache-2.0
// What is known about a statement: proved for every n, checked up to an n, refuted by a concrete
// case, or unknown. Never a bool: a search that gave up is not a pass.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "patterns/integer.hpp"

namespace heddle {

// One step of a proof, decided by a solver: the script is plain SMT-LIB 2 and `expected` is the
// answer that makes the step hold. `companion` is the same script without the goal; it must be
// `sat`, so that the step does not hold vacuously.
struct Obligation {
  std::string name;
  std::string statement;  // one line of mathematics
  std::string script;
  std::string expected = "unsat";
  std::string companion;
  std::string evidence = {};  // arithmetic that shows the same without a solver; may be empty
};

struct Proved {
  std::string rule;
  std::vector<std::pair<std::string, std::string>> parameters;  // witnesses: "c" = "2", "i0" = "1"
  std::vector<Obligation> obligations;
  std::vector<std::string> assumes;  // theorems taken on trust
};

struct Checked {
  std::int64_t n = 0;  // holds for all values of the variables up to n
  std::string reason;  // why it is not proved
};

struct Counterexample {
  std::vector<std::pair<std::string, Integer>> variables;
  Integer value;  // the left side of the claim there
  Integer bound;  // the right side
  // -1 or 1 where the side is infinite, as hops are between tokens without a path; else 0.
  int value_infinite = 0;
  int bound_infinite = 0;
};
// "17", "infinity"
std::string value_text(const Counterexample& found);
std::string bound_text(const Counterexample& found);

struct Refuted {
  Counterexample counterexample;
  bool smallest = true;     // no smaller values of the variables refute it
  std::string explanation;  // when the numbers alone do not say it, e.g. an unreachable token
  // A class, excluded as a whole by what `explanation` says; the numbers only show where it stands.
  bool of_class = false;
};

struct Unknown {
  std::string reason;
};

using Verdict = std::variant<Proved, Checked, Refuted, Unknown>;

const char* name_of(const Verdict& verdict);  // "proved", "checked", "refuted", "unknown"

}  // namespace heddle
