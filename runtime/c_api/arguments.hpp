// SPDX-License-Identifier: Apache-2.0
// What a caller of the C interface passes, as the loader takes it: names that the kernel has, each
// once, shapes that fit its extents and one another, and nothing that is written twice at a time.
#pragma once

#include "patterns/result.hpp"
#include "runtime/c_api/heddle.h"
#include "runtime/c_api/registry.hpp"

namespace heddle::c_api {

// Sizes that shapes tell are read off them. `launch` has been looked at for null pointers only
// where they are its own.
Result<LaunchValues> launch_values(const std::vector<OpenArtifact::Array>& arrays,
                                   const KernelEntry& kernel, const Manifest& manifest,
                                   const heddle_launch& launch);

}  // namespace heddle::c_api
