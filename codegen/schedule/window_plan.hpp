// SPDX-License-Identifier: Apache-2.0
// Launches of a gather that have a chunk of tokens to a block: how many, by how many lanes each row
// is shared, and how shared memory is laid out.
#pragma once

#include "codegen/schedule/gather_backward.hpp"

namespace heddle::schedule {

// Elements of so many bytes that are moved at once.
int vector_of_window(int head_dim, int element);

// Lanes that share a row: few enough to exchange seldom, and no fewer than leave each of a warp's
// rows to a group.
int lanes_of_window(const KernelSpec& spec, ElementType element);

}  // namespace heddle::schedule
