// SPDX-License-Identifier: Apache-2.0
// Softmax prefill of rows that reach the same distances back, on tensor cores: how its shared
// memory is laid out, whom it suits and what a launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/attention_plan.hpp"

namespace heddle::schedule {

// Distances within a chunk, at most: a row has a weight for each of them until its chunk is solved.
constexpr int kMostNear = 12;

constexpr int kDiagonalRows = 16;    // of a warp
constexpr int kDiagonalSharers = 4;  // lanes of a row
// Chunks in a ring, at least: while one is solved with the help of the one before, the next one
// takes the place of a third.
constexpr int kLeastRingChunks = 3;

// In elements of the kernel's type: the chunk's queries, then the keys of a ring of the last chunks
// and this one with those of another ring, of two chunks, for what distances beyond find, then the
// values of both. The first sixteen rows of a ring lie behind its end once more, so that any
// sixteen follow each other. Apart from them, as floats, what sixteen rows have summed, and the
// weights of a chunk's rows for each other.
struct DiagonalLayout {
  explicit DiagonalLayout(const KernelSpec& spec);

  std::int64_t rows;          // of a chunk
  std::int64_t stride;        // 16 n + 8, see tensor_prelude.cuh
  std::int64_t window;        // elements of a chunk's rows
  std::int64_t chunks;        // of a ring
  std::int64_t reach;         // of the ring: the longest distance that it has a chunk's rows for
  std::int64_t first_window;  // row of the other ring
  std::int64_t side;          // elements of the keys of both
  std::int64_t keys_at, values_at;
  std::int64_t sum_stride, sums;
  std::int64_t near_stride, near;  // a row for each distance
  std::int64_t bytes;

  std::int64_t slots() const { return chunks * rows; }
  // Of a place in the ring's first or second round.
  ir::Ex in_ring(ir::Ex slot) const;
};

struct DiagonalPlan {
  TensorSplit split;
  Cost cost;
};

// For launches of rows.n() - 1 tokens. Fails where the pattern, the sizes or the type do not fit.
Result<DiagonalPlan> plan_diagonals(KernelSpec spec, const Rows& rows, const TileLimits& limits);

}  // namespace heddle::schedule
