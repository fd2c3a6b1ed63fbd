// SPDX-License-Identifier: Apache-2.0
// Whether a caller's values fit a kernel, decided before anything is launched.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "codegen/manifest.hpp"
#include "patterns/result.hpp"
#include "runtime/load/buffer.hpp"

namespace heddle {

using LaunchValue = std::variant<void*, std::int32_t, float>;

struct CheckedLaunch {
  std::int64_t blocks = 0;
  std::int64_t shared_bytes = 0;       // of dynamic shared memory
  std::vector<LaunchValue> arguments;  // in the kernel's order
};

// Every size is given and fits its parameter; every buffer is there, of the right type, aligned for
// it and as large as its extents say; cache slots and columns of coefficients suffice for the
// sequence that the launch leaves; a backward kernel without a state starts at 0. Where sequences
// have lengths of their own, these, starts and pages fit the sizes, as far as the arrays lie in the
// host's memory. `entry` is what is launched at once: a kernel, or a step of an operation.
Result<CheckedLaunch> check_launch(const Manifest& manifest, const KernelEntry& entry,
                                   const LaunchValues& values);

// The same of every launch of an operation, in order.
Result<std::vector<CheckedLaunch>> check_launches(const Manifest& manifest,
                                                  const KernelEntry& entry,
                                                  const LaunchValues& values);

}  // namespace heddle
