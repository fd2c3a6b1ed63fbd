// SPDX-License-Identifier: Apache-2.0
// Runs the threads of one block after another, in turns: a thread runs until it meets a barrier or
// a warp operation or ends; when all whom a meeting point concerns have arrived, they go on.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runtime/emulator/fibers.hpp"
#include "runtime/emulator/finding_log.hpp"
#include "runtime/emulator/launch.hpp"
#include "runtime/emulator/request_counter.hpp"
#include "runtime/emulator/shadow.hpp"
#include "runtime/emulator/source_lines.hpp"
#include "runtime/emulator/warp_operations.hpp"

namespace heddle::emulator {

class BlockRunner {
 public:
  // What a thread is told when its turn comes.
  struct Host {
    void (*body)(void* context) = nullptr;  // the kernel, as one thread runs it
    void (*turn)(void* context, int thread) = nullptr;
    void* context = nullptr;
  };

  BlockRunner(int threads, Fibers& fibers, Host host, Clock& clock, FindingLog& log,
              SourceLines& lines, Counters& counters);

  void count_into(RequestCounter& requests) { requests_ = &requests; }

  // With count_into: what was counted behind each barrier, by its site; 0 for a kernel's start.
  const std::vector<std::pair<std::uint32_t, Counters>>& phases() const { return phases_; }

  // Threads of whole warps, in the order of their turns, which they take until none can go on.
  struct Group {
    std::vector<int> threads;
    int first_warp = 0, last_warp = 0;
  };

  // `groups` hold each thread once. False when the block was stopped.
  bool run(int block, const std::vector<Group>& groups);

  // From inside the running thread.
  int thread() const { return thread_; }
  int block() const { return block_; }
  void wait_at_barrier(std::uint32_t site);
  std::uint64_t wait_for_warp(Collective kind, std::uint32_t mask, LaneOperand operand,
                              std::uint32_t site);
  std::uint32_t lanes_alive(int warp) const;
  // Ends the launch; does not return.
  [[noreturn]] void stop();

 private:
  enum class State { kReady, kAtBarrier, kInCollective, kDone };
  struct Thread {
    State state = State::kReady;
    std::uint32_t site = 0;
    Collective kind = Collective::kSyncWarp;
    std::uint32_t mask = 0;
    LaneOperand operand;
    std::uint64_t result = 0;
  };

  void run_group(const Group& group);
  bool find_next();
  void begin_turn();
  void pass_on(State state);
  bool settle_warps(const Group& group);
  bool settle_warp(int warp);
  void complete(int warp, std::uint32_t members, const Thread& first);
  void count(const Thread& meeting);
  void settle_barrier();
  void close_phase(std::uint32_t next);
  std::uint32_t required_by(int thread) const;
  bool same_place(std::uint32_t a, std::uint32_t b);
  void note_stuck();
  std::string doing(int thread);
  void note(FindingKind kind, int thread, std::string words);

  Fibers& fibers_;
  Host host_;
  Clock& clock_;
  FindingLog& log_;
  SourceLines& lines_;
  Counters& counters_;
  RequestCounter* requests_ = nullptr;
  std::vector<std::pair<std::uint32_t, Counters>> phases_;
  std::uint32_t phase_ = 0;
  Counters before_phase_;
  std::vector<Thread> threads_;
  const Group* group_ = nullptr;  // whose turn it is,
  std::size_t next_ = 0;          // from here on
  int thread_ = 0;
  int block_ = 0;
  int ready_ = 0;
  int at_barrier_ = 0;
  int in_collective_ = 0;
  int done_ = 0;
  // Where lanes of the warp at hand have met since its lanes last ran.
  std::vector<std::pair<Collective, std::uint32_t>> met_;
  bool stopped_ = false;
};

}  // namespace heddle::emulator
