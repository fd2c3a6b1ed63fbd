// SPDX-License-Identifier: Apache-2.0
// Rows of global memory into shared memory, sixteen bytes at a time where a row's length allows.
#pragma once

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

// Elements that are moved at once: as many of sixteen bytes as make whole rows.
int vector_of(const KernelSpec& spec);
void copy_vector(Frame& frame, ir::MemoryId to, ir::Ex to_at, ir::MemoryId from, ir::Ex from_at);
// Rows token .. token + count - 1 of this block's (batch, head), one after another from `to_at` on.
// All threads of the block take part. `most`: see each_vector.
void copy_rows(Frame& frame, ir::MemoryId from, ir::Ex token, ir::MemoryId to, ir::Ex to_at,
               ir::Ex count, int most = 0);
// As `copy_rows`, behind the threads' backs: see start_copy in staging_prelude.cuh. The rows are
// there after the batch that they belong to was awaited by every thread and a barrier came by.
void start_rows(Frame& frame, ir::MemoryId from, ir::Ex token, ir::MemoryId to, ir::Ex to_at,
                ir::Ex count);

}  // namespace heddle::schedule
