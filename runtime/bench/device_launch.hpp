// SPDX-License-Identifier: Apache-2.0
// Launches of an artifact's kernels on a CUDA device for a benchmark: the host's buffers are copied
// there when a launch is made, and what the kernel changes is copied back when asked for.
#pragma once

#include <cstddef>
#include <memory>

#include "runtime/bench/bench.hpp"
#include "runtime/load/kernel.hpp"

namespace heddle {

// What one copy of a device-copy reference moves: together with its target more than any cache.
constexpr std::size_t kDeviceCopyBytes = std::size_t{256} << 20;

// For cuda artifacts. Allocation, upload, binding and its checks happen when a launch is made.
LaunchFactory device_launches_of(std::shared_ptr<const KernelArtifact> artifact);

// The clock of the artifact's device, a kernel that does nothing, and a copy in its memory.
Result<BenchDevice> bench_device_of(std::shared_ptr<const KernelArtifact> artifact,
                                    std::size_t copy_bytes = kDeviceCopyBytes);

}  // namespace heddle
