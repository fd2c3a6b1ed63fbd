// SPDX-License-Identifier: Apache-2.0
// Backward of softmax over dense inputs or a window of them on tensor cores, in two launches that
// compute scores once more each: how their shared memory is laid out, whom they suit and what they
// move and compute.
#pragma once

#include "codegen/schedule/attention_plan.hpp"

namespace heddle::schedule {

// In elements of the kernel's type, rows all alike: two rows for each of the chunk's own, queries
// and dy or keys and inputs, then kStages windows of kTensorChunk rows of the other two.
struct AttentionBackLayout {
  explicit AttentionBackLayout(const KernelSpec& spec);

  std::int64_t rows;    // of a chunk
  std::int64_t stride;  // 16 n + 8, see tensor_prelude.cuh
  std::int64_t seconds_at;
  std::int64_t windows_at, window;  // elements of one of either kind
  std::int64_t bytes;

  std::int64_t second_window_at() const { return windows_at + 2 * window; }
};

// Scores at a time, of a warp's sixteen rows: where sums take many registers, of half a window.
inline int columns_at_once(const KernelSpec& spec) {
  return spec.head_dim <= 64 ? kTensorChunk : kTensorChunk / 2;
}

// Blocks on a multiprocessor: as many warps of it as have registers enough.
inline int back_tiles_side_by_side(const KernelSpec& spec) {
  return (spec.head_dim <= 32 ? 12 : 8) / spec.tensor->warps;
}

// For launches of so many tokens, with the cost of both. Fails where the pattern, the sizes or the
// type do not fit.
Result<AttentionPlan> plan_attention_back(KernelSpec spec, std::int64_t tokens,
                                          const TileLimits& limits);

// The launches of attention_backward.
ir::Kernel attention_back_rows(const KernelSpec& spec);
ir::Kernel attention_back_columns(const KernelSpec& spec);

}  // namespace heddle::schedule
