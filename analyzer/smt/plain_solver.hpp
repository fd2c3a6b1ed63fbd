// SPDX-License-Identifier: Apache-2.0
// Z3's core without the tactics that a script's logic calls for: what many small questions of
// linear arithmetic need, at a fifth of the time each.
#pragma once

#include <memory>

#include "analyzer/smt/solver.hpp"

namespace heddle::smt {

// A context takes megabytes and gives them back after one question: from here on the process keeps
// them for the next one.
void keep_freed_memory();

// Many questions in one context, which takes half the time of a small one to make. Each has a
// solver of its own, so that nothing asserted for one is known to another, and how hard it looks
// depends on nothing but the questions before it; after one that was given up the context is new.
class PlainSolver {
 public:
  PlainSolver();
  ~PlainSolver();
  PlainSolver(const PlainSolver&) = delete;
  PlainSolver& operator=(const PlainSolver&) = delete;

  // As smt::solve, for a script of declarations and assertions; `(check-sat)` in it is passed over.
  Reply solve(const std::string& script, std::uint64_t resource_limit, bool with_model);

 private:
  class Context;
  std::unique_ptr<Context> context_;
};

}  // namespace heddle::smt
