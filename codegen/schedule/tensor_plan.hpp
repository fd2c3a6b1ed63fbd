// SPDX-License-Identifier: Apache-2.0
// Linear prefill on tensor cores: how its shared memory is laid out, whom it suits and what a
// launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/prefill_cost.hpp"

namespace heddle::schedule {

// In elements of the kernel's type; rows are 16 n + 8 apart, see tensor_prelude.cuh. What follows
// `reals_at` are floats.
struct TensorLayout {
  explicit TensorLayout(const KernelSpec& spec);

  static constexpr std::int64_t kDecayStride = kTensorChunk + 8;
  std::int64_t key_stride, value_stride;
  std::int64_t keys_at, values_at, state_at, reals_at;  // queries come first
  // Among the floats: the decay from row j to row i of the chunk, the gates, and the decay from
  // before the chunk to row i.
  static constexpr std::int64_t kGatesAt = kTensorChunk * kDecayStride;
  static constexpr std::int64_t kEnteringAt = kGatesAt + kTensorChunk;
  static constexpr std::int64_t kReals = kEnteringAt + kTensorChunk;
  std::int64_t bytes;
};

// The column tiles of 8 that each warp keeps of a row tile of 16: of the outputs, and of the state,
// whose units of one row tile and so many column tiles go round the warps.
struct TensorShares {
  explicit TensorShares(const KernelSpec& spec);

  int parts;         // warps that share 16 rows of the chunk
  int output_tiles;  // of a part
  int state_parts;   // that the channels of the state are cut into
  int state_tiles;   // of a part
  int state_units;
  int units_of_warp;  // at most
};

struct TensorPlan {
  TensorSplit split;
  Cost cost;
};

// Of a head's tokens, from a state on that is in registers: for the state after them alone, and for
// their rows as well.
Cost tensor_cost_of_state(const KernelSpec& spec, std::int64_t tokens);
// Of a chunk, to make the state after it of the one before it.
Cost tensor_cost_of_update(const KernelSpec& spec);
Cost tensor_cost(const KernelSpec& spec, std::int64_t tokens);

// For launches of so many tokens. Fails where the sizes or the type do not fit.
Result<TensorPlan> plan_tensor(KernelSpec spec, std::int64_t tokens, std::int64_t shared_bytes);

}  // namespace heddle::schedule
