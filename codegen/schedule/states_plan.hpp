// SPDX-License-Identifier: Apache-2.0
// Prefill of matrix states that rows of any pattern mix, on tensor cores: how its shared memory is
// laid out, whom it suits and what a launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/prefill_cost.hpp"

namespace heddle::schedule {

// Earlier states whose weights are in shared memory at a time.
constexpr int kLiveWindow = 64;
// States of the chunk's own rows that a block keeps at a time, of those that later rows read.
constexpr int kFreshStates = 8;

// In elements of the kernel's type, of a slice of the channels; rows are 16 n + 8 apart, see
// tensor_prelude.cuh. What follows `reals_at` are floats. Queries come first.
struct StatesLayout {
  explicit StatesLayout(const KernelSpec& slice);

  std::int64_t key_stride, value_stride;
  std::int64_t keys_at, values_at;
  std::int64_t state_at, state_size;  // two that take turns, rounded
  std::int64_t reals_at;
  // Among the floats, row by row: what the inputs of the chunk weigh for its rows, what its states
  // do, and by earlier state what that one does.
  static constexpr std::int64_t kMixStride = kTensorChunk + 8;
  static constexpr std::int64_t kNearStride = kTensorChunk + 1;
  static constexpr std::int64_t kLiveStride = kTensorChunk + 1;
  static constexpr std::int64_t kNearAt = kTensorChunk * kMixStride;
  static constexpr std::int64_t kLiveAt = kNearAt + kTensorChunk * kNearStride;
  static constexpr std::int64_t kReals = kLiveAt + kLiveWindow * kLiveStride;
  std::int64_t bytes;
};

// What a block has of a head: its channels cut into spec.tensor->slices.
KernelSpec slice_of(const KernelSpec& spec);

struct StatesPlan {
  TensorSplit split;
  Cost cost;
};

// For launches of rows.n() - 1 tokens. Fails where the pattern, the sizes or the type do not fit.
Result<StatesPlan> plan_states(KernelSpec spec, const Rows& rows, std::int64_t shared_bytes);

}  // namespace heddle::schedule
