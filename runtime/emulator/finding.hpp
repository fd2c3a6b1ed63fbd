// SPDX-License-Identifier: Apache-2.0
// What the emulator can hold against a kernel.
#pragma once

#include <cstdint>
#include <string>

namespace heddle::emulator {

enum class FindingKind {
  kOutOfBounds,        // an access outside every array it may touch, or past an array's extent
  kUninitialisedRead,  // of memory that nobody has written
  kRaceShared,         // two threads, one of them writing, with no barrier between
  kRaceGlobal,         // likewise in global memory, within a block or between blocks
  kWriteTwice,         // an output element written more than once in a launch
  kUnwritten,          // an output element left unwritten
  kWriteToReadonly,
  kBarrierDivergence,   // __syncthreads not reached by all threads of a block together
  kCollectiveMismatch,  // lanes that disagree on a warp operation, its mask or its place
  kMisaligned,          // an address its access may not have
  kArithmetic,          // signed overflow, division by zero, a shift out of range
  kHang,                // more steps than allowed, or a runaway stack
};

// "out_of_bounds", "race_shared", ...
const char* name_of(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kOutOfBounds;
  std::string message;  // one sentence that names threads, array and element
  std::string where;    // "kernel.cu:12", or empty when no line is to blame
  std::string array;    // as the kernel or the launch calls it, or empty
  std::int64_t element = -1;
  int block = -1;
  int thread = -1;
  int other_thread = -1;   // the second party of a race
  std::int64_t count = 1;  // how often the same thing was seen at this place
};

}  // namespace heddle::emulator
