// SPDX-License-Identifier: Apache-2.0
// What the counters of an emulated launch would cost at least on GPUs whose figures are published:
// an estimate, to be told from a measurement.
#pragma once

#include <string>
#include <vector>

#include "runtime/verify/verify.hpp"

namespace heddle {

struct GpuFigures {
  const char* name;
  double gigabytes_per_second;  // of its memory
  double teraflops;             // f32, without tensor cores
};
const std::vector<GpuFigures>& known_gpus();

// Microseconds for one batch and head, on a device that enough of them fill; the larger of memory
// and arithmetic rules. `floor` is for the bytes and operations of the definition, which any kernel
// needs; `counted` for the sectors and operations of this one, where no cache helps.
struct Roofline {
  const char* gpu;
  double floor_us;
  bool floor_by_memory;
  double counted_us;  // 0 where its operations were not counted
  bool counted_by_memory;
};
// Nothing for a cpu kernel.
std::vector<Roofline> rooflines(const KernelProfile& profile);

}  // namespace heddle
