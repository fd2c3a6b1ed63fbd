// SPDX-License-Identifier: Apache-2.0
// How long the warps of a prefill on cuda wait for their own results, which no count of bytes
// shows: closed forms of what the timing model (codegen/timing) makes of kernels for sm_90.
// prefill_wait_test holds them to it within a factor of 1.5.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "codegen/architecture.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "patterns/materialize.hpp"

namespace heddle::schedule {

// Of one launch.
struct Wait {
  std::int64_t blocks = 1;        // of one batch and head
  std::int64_t cycles = 0;        // of a block by itself
  std::int64_t slots = 0;         // of its fullest scheduler, which blocks side by side share
  std::int64_t side_by_side = 1;  // blocks that a multiprocessor has room for
};
double microseconds_of(const Wait& wait, std::int64_t heads, const Architecture& architecture);

// spec.staging says how. Nothing where the model was not asked: of live rows, tiles, and rows that
// whole warps have.
std::optional<Wait> wait_of_staged(const KernelSpec& spec, const Rows& rows);
// Of given weights, launch by launch; spec.scan says how.
std::vector<Wait> wait_of_scan(const KernelSpec& spec, std::int64_t tokens);

}  // namespace heddle::schedule
