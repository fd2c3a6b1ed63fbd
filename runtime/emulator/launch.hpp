// SPDX-License-Identifier: Apache-2.0
// One emulated launch: what goes in and what comes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "codegen/manifest.hpp"
#include "runtime/emulator/finding.hpp"
#include "runtime/emulator/finite_field.hpp"

namespace heddle::emulator {

// In which order the threads of a block, and the blocks of a launch, take their turns. A correct
// kernel gives bitwise equal results in all of them.
enum class LaneOrder { kForward, kReverse, kShuffled };
const char* name_of(LaneOrder order);

struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A global array. The kernel works on a copy, which is written back after the launch (not when the
// access is kRead). kRead may not be written; kWrite must be written completely, each element once,
// and holds nothing to read before; kReadWrite is initialised memory.
struct LaunchBuffer {
  std::string name;
  void* data = nullptr;
  std::size_t bytes = 0;
  Access access = Access::kRead;
  std::vector<ByteRange> uninitialised = {};  // parts of an input that hold nothing to read
  std::vector<ByteRange> out_of_reach = {};   // parts of an output that nobody has to write, or may
};

struct BufferArgument {
  std::size_t index = 0;  // into Launch::buffers
};
struct NullArgument {};
// A FieldElement is the scalar of a kernel built over the field.
using LaunchArgument =
    std::variant<BufferArgument, NullArgument, std::int32_t, float, FieldElement>;

struct Launch {
  int blocks = 1;
  int threads = 1;                       // per block, at most 1024; 1 for a cpu text
  std::size_t dynamic_shared_bytes = 0;  // of the text's `extern __shared__` array
  std::vector<LaunchBuffer> buffers;
  std::vector<LaunchArgument> arguments;  // in the kernel's order, without a cpu text's two blocks

  LaneOrder order = LaneOrder::kForward;
  std::uint64_t seed = 1;                   // of kShuffled
  std::uint64_t order_seed = 1;             // over the field: of the order of its numbers
  bool check = true;                        // off: only bounds, meeting points and counters
  bool count_requests = false;              // sectors and bank conflicts, at some cost
  std::int64_t step_limit = 4'000'000'000;  // basic blocks entered, over all threads
  std::size_t max_findings = 20;
};

struct Counters {
  std::int64_t global_bytes_read = 0;
  std::int64_t global_bytes_written = 0;
  std::int64_t shared_bytes_read = 0;
  std::int64_t shared_bytes_written = 0;
  std::int64_t accesses = 0;  // checked loads and stores
  std::int64_t steps = 0;     // basic blocks entered
  std::int64_t barriers = 0;  // per block
  std::int64_t collectives = 0;
  // Over the field: operations on floats by all threads, one each per operator.
  std::int64_t additions = 0;  // subtractions too
  std::int64_t multiplications = 0;
  std::int64_t divisions = 0;
  std::int64_t exponentials = 0;
  // With count_requests: a request is what the lanes of one warp ask for at one place together.
  std::int64_t global_requests = 0;
  std::int64_t global_sectors = 0;  // of 32 bytes
  std::int64_t shared_requests = 0;
  std::int64_t shared_bank_conflicts = 0;  // extra passes over the 32 banks
};

inline constexpr std::int64_t Counters::*kAllCounters[] = {
    &Counters::global_bytes_read, &Counters::global_bytes_written,
    &Counters::shared_bytes_read, &Counters::shared_bytes_written,
    &Counters::accesses,          &Counters::steps,
    &Counters::barriers,          &Counters::collectives,
    &Counters::additions,         &Counters::multiplications,
    &Counters::divisions,         &Counters::exponentials,
    &Counters::global_requests,   &Counters::global_sectors,
    &Counters::shared_requests,   &Counters::shared_bank_conflicts};

// What all threads do from one barrier to the next, over all the times that they do it.
struct Phase {
  std::string
      from;  // "kernel.cu:12", the barrier behind which it begins; empty: the kernel's start
  Counters counters;  // without steps and arithmetic
};

struct EmulationResult {
  std::vector<Finding> findings;  // none: nothing to hold against the kernel in this launch
  bool completed = false;         // false: stopped early, the outputs are incomplete
  Counters counters;
  std::vector<Phase> phases;  // with count_requests, in the order in which they first began
};

}  // namespace heddle::emulator
