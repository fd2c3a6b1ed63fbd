// SPDX-License-Identifier: Apache-2.0
// Backward of linear weights on tensor cores: how the shared memory of its rows is laid out, and
// whom it suits.
#pragma once

#include <cstdint>

#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

// In elements of the kernel's type; rows are 16 n + 8 apart. What follows `reals_at` are floats.
struct GradientLayout {
  explicit GradientLayout(const KernelSpec& spec);

  static constexpr std::int64_t kDecayStride = kTensorChunk + 8;
  std::int64_t key_stride, value_stride, out_stride;
  // Queries come first. Of the state before the chunk and the gradient behind it, rounded; and what
  // goes out.
  std::int64_t keys_at, values_at, changes_at, state_at, slope_at, out_at, reals_at;

  // Among the floats: D, and scores times scores of values, with a row more for what stands behind
  // the chunk.
  static constexpr std::int64_t kOverlapsAt = kTensorChunk * kDecayStride;
  // Numbers of a row each: the gates, E, and what reads the state before the chunk; parts of sums.
  static constexpr std::int64_t kGatesAt = kOverlapsAt + (kTensorChunk + 8) * kDecayStride;
  static constexpr std::int64_t kEnteringAt = kGatesAt + kTensorChunk;
  static constexpr std::int64_t kReadsAt = kEnteringAt + kTensorChunk;
  static constexpr std::int64_t kPartsAt = kReadsAt + 2 * kTensorChunk;
  static constexpr std::int64_t kReals = kPartsAt + 4 * kTensorChunk;
  std::int64_t bytes;
};

constexpr int kGradientWarps = kTensorChunk / 16;  // sixteen rows each

// The split of the launches before the rows. Fails where sizes or the type do not fit.
Result<TensorSplit> plan_gradients(const KernelSpec& spec, std::int64_t shared_bytes);

}  // namespace heddle::schedule
