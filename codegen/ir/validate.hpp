// SPDX-License-Identifier: Apache-2.0
// Refuses a kernel that breaks a rule of ir.hpp that can be seen without solving anything: types,
// definition before use, scopes, memories that a target does not have, and collectives under
// control flow that may diverge.
#pragma once

#include <string>
#include <vector>

#include "codegen/ir/ir.hpp"

namespace heddle::ir {

// One sentence per problem; none for a valid kernel. Divergence is judged conservatively: a value
// is uniform over a block (or a warp) only if everything that it is computed from is.
std::vector<std::string> validate(const Kernel& kernel);

}  // namespace heddle::ir
