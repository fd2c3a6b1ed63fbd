// SPDX-License-Identifier: Apache-2.0
// What the launches of a cuda kernel would take, by the model of README.md: an estimate to set
// beside others of its kind, never a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/manifest.hpp"
#include "codegen/timing/block_cycles.hpp"
#include "patterns/result.hpp"

namespace heddle::timing {

// The launches that an estimate is of: a batch of sequences of so many tokens from the first one
// on, of decode the token after them.
struct Occasion {
  std::int64_t tokens = 8192;
  std::int64_t batch = 8;
  std::int64_t heads = 16;
  std::map<std::string, int> registers = {};  // of a thread, by symbol, as far as they are known
};

struct LaunchEstimate {
  std::string symbol;
  std::int64_t blocks = 0;  // of all batches and heads
  std::int64_t block = 0;   // the one of a batch and head that was followed, the one in the middle
  int registers = 0;        // 0: not known
  int side_by_side = 1;     // as many as a multiprocessor has threads, shared memory and known
                            // registers for
  BlockCycles cycles;
  double milliseconds = 0;  // of all blocks, in as many rounds as they need
};

// Of one operation: a launch, or several one behind the other. What cannot be followed has a
// sentence that says why.
Result<std::vector<LaunchEstimate>> estimate(const std::map<std::string, std::string>& files,
                                             const Manifest& manifest, const KernelEntry& kernel,
                                             const Occasion& occasion);

}  // namespace heddle::timing
