// SPDX-License-Identifier: Apache-2.0
// A limit on the processor time of what a thread does. Unlike a clock on the wall it gives the same
// answers on a busy machine.
#pragma once

#include <time.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace heddle::smt {

// A net far above what so many of Z3's resources take: within it nothing depends on a clock.
inline std::chrono::milliseconds time_for(std::uint64_t resource_limit) {
  return std::chrono::milliseconds(resource_limit / 200 + 300);
}

// Looks ten times a second, from a thread of its own, and interrupts at most once between `begin`
// and `end`, never outside of them.
class Watch {
 public:
  explicit Watch(std::function<void()> interrupt);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // From here on the calling thread may compute for so long.
  void begin(std::chrono::milliseconds limit);
  // Whether it was interrupted.
  bool end();

 private:
  struct Limit {
    clockid_t clock;
    std::chrono::nanoseconds end;
  };
  void look();

  std::function<void()> interrupt_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<Limit> limit_;
  bool interrupted_ = false;
  bool is_done_ = false;
  std::thread watcher_;  // last: it uses the others
};

}  // namespace heddle::smt
