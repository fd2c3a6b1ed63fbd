// SPDX-License-Identifier: Apache-2.0
// Softmax prefill over dense inputs or a window of them on tensor cores: how its shared memory is
// laid out, whom it suits and what a launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/prefill_cost.hpp"

namespace heddle::schedule {

// Windows of keys and values that have room: the next one comes in while one is worked on.
constexpr int kStages = 2;

// In elements of the kernel's type, rows all alike: the chunk's queries, which outputs take the
// place of, then the windows of keys, then those of values, kTensorChunk rows each.
struct AttentionLayout {
  explicit AttentionLayout(const KernelSpec& spec);

  std::int64_t rows;    // of a chunk
  std::int64_t stride;  // 16 n + 8, see tensor_prelude.cuh
  std::int64_t window;  // elements of one
  std::int64_t keys_at, values_at;
  std::int64_t bytes;
};

struct AttentionPlan {
  TensorSplit split;
  Cost cost;
};

// What tensor cores ask of softmax over dense rows of either side.
std::optional<Error> unfit_for_tensor_cores(const KernelSpec& spec);

// For launches of so many tokens. Fails where the pattern, the sizes or the type do not fit.
Result<AttentionPlan> plan_attention(KernelSpec spec, std::int64_t tokens,
                                     std::int64_t shared_bytes);

}  // namespace heddle::schedule
