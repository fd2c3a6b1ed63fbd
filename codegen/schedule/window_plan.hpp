// SPDX-License-Identifier: Apache-2.0
// Launches of a gather that have a chunk of tokens to a block: how many, by how many lanes each row
// is shared, and how shared memory is laid out.
#pragma once

#include "codegen/schedule/gather_backward.hpp"

namespace heddle::schedule {

// Elements of so many bytes that are moved at once.
int vector_of_window(int head_dim, int element);

// Warps of a block, and blocks that share a multiprocessor: sums of gradients leave no registers
// for another block.
int window_warps(const KernelSpec& spec, WindowUse use);
int window_blocks(const KernelSpec& spec, WindowUse use);

// Rows of a run in shared memory: a chunk's, or twice as many.
int ring_rows(const KernelSpec& spec);

// From row to row there, in elements of so many bytes.
std::int64_t ring_stride(const KernelSpec& spec, int element);

// Lanes that share a row: few enough to exchange seldom, and no fewer than leave each of a warp's
// rows to a group.
int lanes_of_window(const KernelSpec& spec, ElementType element);

}  // namespace heddle::schedule
