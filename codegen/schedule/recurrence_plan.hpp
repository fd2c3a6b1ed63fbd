// SPDX-License-Identifier: Apache-2.0
// Dense feedback on tensor cores: how its shared memory is laid out, whom it suits and what a
// launch moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/attention_plan.hpp"

namespace heddle::schedule {

// In elements of the kernel's type: the chunk's queries, keys and inputs, which outputs take the
// place of, then two windows of keys and two of outputs, kTensorChunk rows each. Apart from them
// is what TensorSolve has.
struct RecurrenceLayout {
  explicit RecurrenceLayout(const KernelSpec& spec);

  // The next window comes in while one is worked on.
  static constexpr int kStages = 2;
  std::int64_t rows;    // of a chunk, whole windows
  std::int64_t stride;  // 16 n + 8, see tensor_prelude.cuh
  std::int64_t window;  // elements of one
  std::int64_t keys_at, values_at, window_keys_at, window_values_at;
  std::int64_t bytes;
};

struct RecurrencePlan {
  TensorSplit split;
  Cost cost;
};

// For launches of so many tokens. Fails where the pattern, the sizes or the type do not fit.
Result<RecurrencePlan> plan_recurrence(KernelSpec spec, std::int64_t tokens,
                                       const TileLimits& limits);

}  // namespace heddle::schedule
