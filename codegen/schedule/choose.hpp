// SPDX-License-Identifier: Apache-2.0
// Which prefill a launch on cuda gets. All schedules give the same results; what differs is bytes
// and flops, and the cost model's time of both on one architecture decides where nobody else has.
#pragma once

#include <optional>
#include <string>

#include "codegen/architecture.hpp"
#include "codegen/schedule/prefill_cost.hpp"
#include "codegen/schedule/staged_plan.hpp"

namespace heddle::schedule {

struct ChooseOptions {
  std::string schedule = "auto";  // or one of the names below
  const Architecture* architecture = nullptr;
  std::int64_t heads = 1;      // of all sequences of a launch: how much there is to do side by side
  std::int64_t tile_rows = 0;  // of softmax on tensor cores; 0: what the cost model expects
  StagedLimits limits;
};

struct Choice {
  std::string schedule = "simple";  // or "staged", "tensor", "scan"
  Prediction prediction;
  std::int64_t tensor_flops = 0;  // among those of the prediction, of one launch
  std::string why;  // half a sentence: the other schedules' bytes and flops, or what excludes them
  std::optional<std::int64_t> wait = {};  // cycles of a block of each launch, where they are known
};

// For launches of rows.n() - 1 tokens. Sets spec.staging, spec.tensor or spec.scan where the
// schedule is so. A scan that was asked for and cannot be is an error of the caller's.
Choice choose_prefill(KernelSpec& spec, const Rows& rows, const ChooseOptions& options);

}  // namespace heddle::schedule
