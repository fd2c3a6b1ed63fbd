// SPDX-License-Identifier: Apache-2.0
// Softmax prefill of rows that reach the same distances back, on tensor cores: how its shared
// memory is laid out, whom it suits and what a launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/attention_plan.hpp"

namespace heddle::schedule {

// Distances within a chunk, at most: a row has a weight for each of them until its chunk is solved.
constexpr int kMostNear = 12;

// In elements of the kernel's type: the chunk's queries, then a ring of keys and one of values for
// two chunks of rows, and as much again for what distances beyond find. The first sixteen rows of a
// ring lie behind its end once more, so that any sixteen follow each other. Apart from them, as
// floats, what rows have summed, and their weights for each other.
struct DiagonalLayout {
  explicit DiagonalLayout(const KernelSpec& spec);

  std::int64_t rows;    // of a chunk
  std::int64_t stride;  // 16 n + 8, see tensor_prelude.cuh
  std::int64_t window;  // elements of a chunk's rows
  std::int64_t ring;    // elements of one
  std::int64_t keys_at, values_at, window_keys_at, window_values_at;
  std::int64_t sum_stride, sums;
  std::int64_t near_stride, near;  // a row for each distance
  std::int64_t bytes;
};

struct DiagonalPlan {
  TensorSplit split;
  Cost cost;
};

// For launches of rows.n() - 1 tokens. Fails where the pattern, the sizes or the type do not fit.
Result<DiagonalPlan> plan_diagonals(KernelSpec spec, const Rows& rows, const TileLimits& limits);

}  // namespace heddle::schedule
