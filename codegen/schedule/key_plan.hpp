// SPDX-License-Identifier: Apache-2.0
// Linear prefill on tensor cores where each key has a gate of its own: how its shared memory is
// laid out, whom it suits and what a launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {

// Rows that the state goes over at a time, a chunk's blocks.
constexpr int kKeyBlock = 16;
constexpr int kKeyBlocks = kTensorChunk / kKeyBlock;

// In elements of the kernel's type; rows are 16 n + 8 apart, see tensor_prelude.cuh. What follows
// `reals_at` are floats.
struct KeyLayout {
  explicit KeyLayout(const KernelSpec& spec);

  static constexpr std::int64_t kWeightStride = kKeyBlock + 8;
  std::int64_t key_stride, value_stride;
  // Queries come first; what rounding leaves of keys; the weights of a block's rows for each other.
  std::int64_t keys_at, rests_at, values_at, weights_at, reals_at;
  // Among the floats: gates come first; their products over each block; parts of weights.
  std::int64_t products_at, parts_at, reals;
  std::int64_t bytes;
};

// Of the rows of a backward likewise.
struct KeyGradientLayout {
  explicit KeyGradientLayout(const KernelSpec& spec);

  std::int64_t key_stride, value_stride;
  // Queries come first. Both as what is left of them at the end of their block, queries at its
  // beginning; inputs and their changes; turned and rounded, the state before each block and the
  // gradient behind it; weights, turned.
  std::int64_t keys_at, entering_at, leaving_at, values_at, changes_at, states_at, slopes_at,
      weights_at, reals_at;
  std::int64_t state_size;  // of one state
  // Among the floats: gates come first; their products over each block; parts of weights; what
  // queries read of states and keys write of gradients; products of changes and inputs.
  std::int64_t products_at, parts_at, reads_at, writes_at, overlaps_at, reals;
  std::int64_t bytes;
};

// Every warp has sixteen channels of the state, in all its rows, as far as there are so many.
constexpr int key_warps(const KernelSpec& spec) {
  return spec.head_dim / 16 < 4 ? 4 : spec.head_dim / 16;
}
// Threads that share a column of weights, a power of two.
constexpr int weight_parts(const KernelSpec& spec) {
  return key_warps(spec) < 8 ? 2 : key_warps(spec) < 16 ? 4 : 8;
}

// As tensor_cost_of_state and tensor_cost.
Cost key_cost_of_state(const KernelSpec& spec, std::int64_t tokens);
Cost key_cost(const KernelSpec& spec, std::int64_t tokens);
// As plan_tensor, which asks for it.
Result<TensorPlan> plan_keys(KernelSpec spec, std::int64_t tokens, std::int64_t shared_bytes);

}  // namespace heddle::schedule
