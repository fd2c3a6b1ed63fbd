// SPDX-License-Identifier: Apache-2.0
// Counts what a memory system would be asked for: the lanes of a warp that touch memory at the same
// place of the text for the same time since they last met are one request.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "runtime/emulator/launch.hpp"

namespace heddle::emulator {

class RequestCounter {
 public:
  explicit RequestCounter(int threads) : warps_(static_cast<std::size_t>((threads + 31) / 32)) {}

  // The next accesses are of a thread that has just come out of a meeting point.
  void thread_resumes() { times_.clear(); }
  void add(std::uint32_t site, int thread, std::uintptr_t address, std::size_t size, bool shared);
  // The warp's lanes meet, or the block ends: what it asked for so far is complete.
  void close(int warp, Counters& counters);
  void close_all(Counters& counters);

 private:
  struct Access {
    std::uint32_t site;
    std::uint32_t time;  // how often this lane had been at the site before
    std::uint8_t lane;
    std::uint8_t size;
    bool shared;
    std::uintptr_t address;
  };
  std::vector<std::vector<Access>> warps_;
  std::unordered_map<std::uint32_t, std::uint32_t> times_;
};

}  // namespace heddle::emulator
