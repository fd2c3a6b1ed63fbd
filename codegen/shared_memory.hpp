// SPDX-License-Identifier: Apache-2.0
// What the manifest says of the dynamic shared memory of a cuda prefill, and of the chunks that its
// grid has.
#pragma once

#include "codegen/manifest.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle {

// Nothing where the kernel is neither staged nor on tensor cores. `gradients`: of rows backward.
void describe_shared_memory(const schedule::KernelSpec& spec, KernelEntry& entry,
                            bool gradients = false);

}  // namespace heddle
