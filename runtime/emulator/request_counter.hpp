// SPDX-License-Identifier: Apache-2.0
// Counts what a memory system would be asked for: the lanes of a warp that touch memory at the same
// place of the text for the same time since they last met are one request.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "runtime/emulator/launch.hpp"

namespace heddle::emulator {

class RequestCounter {
 public:
  explicit RequestCounter(int threads) : warps_(static_cast<std::size_t>((threads + 31) / 32)) {}

  // The next accesses are of a thread that has just come out of a meeting point.
  void thread_resumes() { ++turn_; }
  void add(std::uint32_t site, int thread, std::uintptr_t address, std::size_t size, bool shared);
  // The warp's lanes meet, or the block ends: what it asked for so far is complete.
  void close(int warp, Counters& counters);
  void close_all(Counters& counters);

 private:
  struct Request {
    std::uint32_t place;      // in Warp::by_time
    std::uint32_t lanes = 0;  // a bit for each that takes part
    std::array<std::uintptr_t, 32> address;
    std::array<std::uint8_t, 32> size;
  };
  struct Warp {
    std::vector<Request> requests;  // of global memory at even places, of shared at odd ones
    // By place, two to a site: requests by how often a lane had been at the site before.
    std::vector<std::vector<std::uint32_t>> by_time;
  };
  struct Site {
    std::uint64_t turn = 0;  // of the thread that `times` is of
    std::uint32_t times = 0;
  };

  void count_global(const Request& request, Counters& counters);
  void count_shared(const Request& request, Counters& counters);
  // Of the lanes first, first + 1, ... (`count` of them): the units of so many bytes they touch.
  const std::vector<std::uintptr_t>& units_of(const Request& request, std::uintptr_t bytes,
                                              int first, int count);

  std::vector<Warp> warps_;
  std::unordered_map<std::uint32_t, std::uint32_t> numbers_;  // of sites
  std::vector<Site> sites_;                                   // by number
  std::uint64_t turn_ = 1;
  std::vector<std::uintptr_t> units_;
};

}  // namespace heddle::emulator
