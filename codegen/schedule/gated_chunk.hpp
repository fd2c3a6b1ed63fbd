// SPDX-License-Identifier: Apache-2.0
// Solves a chunk of rows of a lattice with gated weights from the last one to the first: lambda_c =
// due_c + sum over later rows r of the chunk that read c of gate_rc * lambda_r, channel by channel.
// Gates lie in shared memory by the number of their entry in its row, as for NearGates.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"
#include "codegen/schedule/near_gates.hpp"

namespace heddle::schedule {

constexpr int kGatedRows = 32;  // of a chunk

// Reals between two rows of the chunk's lambda: whole vectors, two of which lie between the banks
// of neighbours, so that lanes which have every other one of four rows together are at none twice.
constexpr int gated_stride(int dim) { return (dim + 3) / 4 * 4 + 8; }

struct GatedChunk {
  ir::Builder& builder;
  GradientFrame& frame;
  const NearGates::Entries& near;
  ir::MemoryId own;      // what is due of rows behind the chunk, then lambda; kGatedRows + 1 rows
  ir::MemoryId staged;   // gates of entry number e of row r at e * kGatedRows + r
  ir::MemoryId columns;  // likewise; kGatedRows where the row has no such entry, and its gate is 0
  ir::Ex first, size;    // token of row 0, rows
};
// By a thread, behind a barrier; writes lambda to global memory, too.
void solve_gated_chunk(const GatedChunk& chunk, ir::Ex d);

}  // namespace heddle::schedule
