// SPDX-License-Identifier: Apache-2.0
// The memories of a block: what they hold, and what a request of a warp costs where they lie.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "codegen/timing/number.hpp"

namespace heddle::timing {

struct Memory {
  std::string name;
  bool shared = false;    // else global
  int element_bytes = 4;  // as it is stored
  std::int64_t length = 0;
  std::vector<std::int64_t> whole;  // one of the two
  std::vector<float> real;
};

// The bytes that a lane asks for, first and number.
struct Request {
  Mask lanes = 0;
  std::array<std::int64_t, kLanes> at{};
  int bytes = 4;
};

// How many times shared memory is asked, conflicts of banks included.
int wavefronts(const Request& request);
int lines(const Request& request);  // of the first cache

// Where the sectors of global memory are found, each buffer with a number of its own.
class Caches {
 public:
  // The latency of a load by this warp: from memory where the block asks for a sector for the first
  // time, out of the first cache where the warp has asked for it since the last barrier.
  int latency(int warp, int buffer, const Request& request);
  // What the block has written is in the second cache.
  void wrote(int buffer, const Request& request);
  void barrier() { recent_.clear(); }

 private:
  std::unordered_set<std::uint64_t> seen_;
  std::unordered_set<std::uint64_t> recent_;  // by warps
};

}  // namespace heddle::timing
