// SPDX-License-Identifier: Apache-2.0
// A solver as a separate program that reads SMT-LIB 2 from its standard input.
#pragma once

#include <optional>
#include <string>

namespace heddle {

struct SolverProgram {
  std::string program;
  std::string version;  // "z3 4.8.12"
};

// Null when there is no such program, or it is neither z3 nor cvc5.
std::optional<SolverProgram> find_solver(const std::string& program);
// "sat", "unsat", or anything else for neither.
std::string answer_of(const SolverProgram& solver, const std::string& script, int seconds);

}  // namespace heddle
