// SPDX-License-Identifier: Apache-2.0
// The cost model of staged prefill: how much of shared memory goes to what, so that the fewest
// bytes are asked for of global memory, and what a launch then moves and computes.
#pragma once

#include <cstdint>

#include "codegen/schedule/kernel_spec.hpp"
#include "patterns/materialize.hpp"

namespace heddle::schedule {

struct StagedPlan {
  Staging staging;
  Prediction prediction;
};

// What lists in shared memory are sized for: the slots that a state of side B needs, and the
// entries of a row, in the longest sequence that sizes are known for. Beyond them a kernel asks
// global memory.
struct StagedLimits {
  std::int64_t slots = 0;
  std::int64_t offsets_a = 0;
  std::int64_t offsets_b = 0;
  std::int64_t listed_rows = 0;   // rows whose offsets all have a place there
  std::int64_t shared_bytes = 0;  // of a block
};

// For launches of rows.n() - 1 tokens. Fails where no staged schedule fits the pattern or the
// memory. `transposed`: of the system that lambda solves.
Result<StagedPlan> plan_staged(const KernelSpec& spec, const Rows& rows, const StagedLimits& limits,
                               bool transposed = false);
// The rings, or tiles that go distance by distance, with which the transposed system of `spec` is
// solved, whose values are reals.
Result<Staging> plan_transposed(const KernelSpec& spec, const Rows& rows,
                                const StagedLimits& limits);

// Of a prefill out of rings: the next chunk's rows come in when this one's have been asked for the
// last time, to where the oldest ones lay; else, while rows ask, beside them. The former takes less
// room, and where a chunk is solved no time.
bool fetches_late(const KernelSpec& spec, const Staging& staging);

}  // namespace heddle::schedule
