// SPDX-License-Identifier: Apache-2.0
// Removes constants, variables and views that nothing reads but a variable's own next value, and
// marks arguments that nothing reads. Schedules may name what they might need; a kernel names only
// what it uses. Defining or assigning one has no effect but loads, so dropping it changes no
// result.
#pragma once

#include "codegen/ir/ir.hpp"

namespace heddle::passes {

void drop_unused_values(ir::Kernel& kernel);

// Arguments that no statement reads or writes go, too: for a kernel whose arguments are nobody's
// but its own. After drop_unused_values.
void drop_unused_arguments(ir::Kernel& kernel);

}  // namespace heddle::passes
