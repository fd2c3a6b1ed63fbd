// SPDX-License-Identifier: Apache-2.0
// Which variables decide whether a while loop goes on.
#pragma once

#include <optional>
#include <set>

#include "codegen/ir/ir.hpp"

namespace heddle::verify {

// Those that its condition reads, and those that any assignment to one of them in the body depends
// on, by its value or by being come to. Nothing where memory or another thread has a part in it.
// When all of them have the same numbers twice, the loop never ends.
std::optional<std::set<std::int32_t>> deciding_variables(const ir::Kernel& kernel,
                                                         const ir::While& loop);

}  // namespace heddle::verify
