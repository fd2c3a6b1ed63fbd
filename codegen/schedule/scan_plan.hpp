// SPDX-License-Identifier: Apache-2.0
// What a scan over chunks of tokens moves and computes, how long its launches take by the figures
// of an architecture, and the chunk length for which that is least. counters_test holds the
// prediction to the emulator's counters.
#pragma once

#include "codegen/architecture.hpp"
#include "codegen/schedule/prefill_cost.hpp"

namespace heddle::schedule {

struct ScanPlan {
  ScanSplit split;
  std::optional<TensorSplit> tensor;  // of matrix states
  Prediction prediction;              // of one batch and head, as of every schedule
  double microseconds = 0;            // of all launches for the heads that were planned for
};

// For `heads` sequences of `tokens` tokens side by side, in so much shared memory. Fails where the
// pattern is none that a scan can follow.
Result<ScanPlan> plan_scan(const KernelSpec& spec, std::int64_t tokens, std::int64_t heads,
                           const Architecture& architecture, std::int64_t shared_bytes);
// The same with a chunk length given.
ScanPlan plan_scan(const KernelSpec& spec, ScanSplit split, std::int64_t tokens, std::int64_t heads,
                   const Architecture& architecture);

}  // namespace heddle::schedule
