// SPDX-License-Identifier: Apache-2.0
// Z3's core without the tactics that a script's logic calls for: what many small questions of
// linear arithmetic need, at a fifth of the time each.
#pragma once

#include "analyzer/smt/solver.hpp"

namespace heddle::smt {

// A context takes megabytes and gives them back after one question: from here on the process keeps
// them for the next one.
void keep_freed_memory();

// As `solve`, for a script of declarations and assertions; `(check-sat)` in it is passed over.
Reply solve_plainly(const std::string& script, std::uint64_t resource_limit, bool with_model);

}  // namespace heddle::smt
