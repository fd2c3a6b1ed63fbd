// SPDX-License-Identifier: Apache-2.0
// Launches of an artifact's own kernels for a benchmark, the way an embedding program makes them.
#pragma once

#include <memory>

#include "runtime/bench/bench.hpp"
#include "runtime/load/kernel.hpp"

namespace heddle {

// The values of a launch on the recipe's own buffers; those that it lacks are null pointers.
LaunchValues launch_values(const LaunchRecipe& recipe);

// For cpu artifacts. Binding and its checks happen when a launch is made, outside the timing.
LaunchFactory launches_of(std::shared_ptr<const KernelArtifact> artifact);

}  // namespace heddle
