// SPDX-License-Identifier: Apache-2.0
// Kernels of random patterns in random shapes, each right by construction of the generator, under
// every layer that runs a text: whatever is held against one is a false alarm, or a bug.
#pragma once

#include <cstdint>
#include <string>

#include "codegen/generate.hpp"
#include "patterns/pattern.hpp"
#include "runtime/verify/verify.hpp"

namespace heddle::alarms {

struct RandomKernel {
  std::string source;  // of the pattern
  Artifact artifact;   // one operation
  Rows rows;
  VerifyOptions options;
  std::string form = {};  // ", varlen": what it takes beside the plain arguments

  // "backward cuda given bf16, 13 channels, simple, lengths 1 17 40, with states"
  std::string describe() const;
};

// The same for the same number, on every machine: every operation, weights, schedule, and form of
// lengths and states. Draws again where the generator refuses a
// pattern or a row reads outside of its range.
RandomKernel random_kernel(std::uint64_t number);

// Empty when every layer verified it.
std::string complaint(const RandomKernel& kernel);

}  // namespace heddle::alarms
