// SPDX-License-Identifier: Apache-2.0
// Softmax prefill of lattices on tensor cores: how its shared memory is laid out, whom it suits and
// what a launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/attention_plan.hpp"

namespace heddle::schedule {

// In elements of the kernel's type, rows all alike: queries of a chunk, its keys and its inputs,
// which outputs take the place of, twice, since the next chunk's come in while one is solved; the
// keys of two windows of listed positions and their outputs; then keys and outputs of kept columns,
// for this chunk and the one before.
struct LatticeLayout {
  explicit LatticeLayout(const KernelSpec& spec);

  static constexpr int kStages = 2;
  std::int64_t rows;     // of a chunk
  std::int64_t columns;  // of a window
  std::int64_t kept;     // columns, whole windows
  std::int64_t listed;   // columns that are listed at a time, whole windows
  std::int64_t stride;   // 16 n + 8, see tensor_prelude.cuh
  std::int64_t own;      // elements of a chunk's queries, keys and values
  std::int64_t window;   // elements of one side of a window
  std::int64_t side;     // elements of one side of the kept columns
  std::int64_t keys_at, values_at, window_keys_at, window_values_at, kept_at;
  std::int64_t bytes;
};

struct LatticePlan {
  TensorSplit split;
  Cost cost;
};

// For launches of rows.n() - 1 tokens. Fails where the pattern, the sizes or the type do not fit.
Result<LatticePlan> plan_lattice(KernelSpec spec, const Rows& rows, const TileLimits& limits);

}  // namespace heddle::schedule
