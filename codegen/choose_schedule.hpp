// SPDX-License-Identifier: Apache-2.0
// The schedule of each operation: what was asked for, what the pattern has, and, of a prefill on
// cuda, what the cost model expects.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "codegen/schedule/choose.hpp"

namespace heddle {

// Sets spec.staging, spec.tensor, spec.scan and spec.gather as the schedule of `op` has them. What
// is given back has a prediction and goes into the manifest; where there is nothing to predict,
// nothing is. `slots` are the most that the cache of outputs has; what was asked for and is not to
// be had goes to `remarks`.
std::optional<schedule::Choice> choose_schedule(schedule::KernelSpec& spec, const std::string& op,
                                                const GenerateOptions& options, std::int64_t slots,
                                                std::vector<std::string>& remarks);

}  // namespace heddle
