// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/block_runner.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace heddle::emulator {

BlockRunner::BlockRunner(int threads, Fibers& fibers, Host host, Clock& clock, FindingLog& log,
                         SourceLines& lines, Counters& counters)
    : fibers_(fibers),
      host_(host),
      clock_(clock),
      log_(log),
      lines_(lines),
      counters_(counters),
      threads_(static_cast<std::size_t>(threads)) {}

bool BlockRunner::run(int block, const std::vector<Group>& groups) {
  block_ = block;
  clock_.block_begin = clock_.phase_begin = ++clock_.now;
  clock_.warp_begin.fill(clock_.now);
  const int count = static_cast<int>(threads_.size());
  for (int i = 0; i < count; ++i) {
    threads_[static_cast<std::size_t>(i)] = Thread{};
    fibers_.start(
        i,
        [](void* runner) {
          auto& self = *static_cast<BlockRunner*>(runner);
          self.host_.body(self.host_.context);
          self.pass_on(State::kDone);
        },
        this);
  }
  ready_ = count;
  at_barrier_ = in_collective_ = done_ = 0;
  while (done_ < count) {
    for (const Group& group : groups) {
      run_group(group);
      if (stopped_) return false;
    }
    if (ready_ == 0 && at_barrier_ > 0) settle_barrier();
    if (ready_ == 0 && done_ < count) {
      if (!stopped_) note_stuck();
      return false;
    }
  }
  if (requests_ != nullptr) close_phase(0);
  return true;
}

// The next phase begins behind the barrier at `next`.
void BlockRunner::close_phase(std::uint32_t next) {
  requests_->close_all(counters_);
  auto phase = std::find_if(phases_.begin(), phases_.end(),
                            [&](const auto& known) { return known.first == phase_; });
  if (phase == phases_.end()) phase = phases_.insert(phases_.end(), {phase_, Counters{}});
  for (const auto counter : kAllCounters) {
    phase->second.*counter += counters_.*counter - before_phase_.*counter;
  }
  before_phase_ = counters_;
  phase_ = next;
}

// Warp operations keep a group going while it can; a warp that asks for another one's word in a
// loop lets the others have their turn in the end.
void BlockRunner::run_group(const Group& group) {
  constexpr int kMostRounds = 1024;
  for (int round = 0; round < kMostRounds; ++round) {
    group_ = &group;
    next_ = 0;
    if (find_next()) {
      begin_turn();
      fibers_.resume(thread_);
    }
    if (stopped_ || in_collective_ == 0 || !settle_warps(group)) return;
  }
}

// Makes `thread_` the group's next thread that can run.
bool BlockRunner::find_next() {
  const std::vector<int>& threads = group_->threads;
  while (next_ < threads.size()) {
    const int index = threads[next_++];
    if (threads_[static_cast<std::size_t>(index)].state != State::kReady) continue;
    thread_ = index;
    return true;
  }
  return false;
}

void BlockRunner::begin_turn() {
  host_.turn(host_.context, thread_);
  if (requests_ != nullptr) requests_->thread_resumes();
}

// From inside the running thread, which waits in `state` from now on: whose turn is next goes on in
// its place, as every visit outside would cost another switch.
void BlockRunner::pass_on(State state) {
  threads_[static_cast<std::size_t>(thread_)].state = state;
  --ready_;
  ++(state == State::kDone ? done_ : state == State::kAtBarrier ? at_barrier_ : in_collective_);
  if (!find_next()) return fibers_.suspend();
  begin_turn();
  fibers_.switch_to(thread_);
}

void BlockRunner::stop() {
  stopped_ = true;
  fibers_.suspend();
  unreachable("a stopped launch went on");
}

void BlockRunner::wait_at_barrier(std::uint32_t site) {
  Thread& self = threads_[static_cast<std::size_t>(thread_)];
  self.site = site;
  pass_on(State::kAtBarrier);
}

std::uint64_t BlockRunner::wait_for_warp(Collective kind, std::uint32_t mask, LaneOperand operand,
                                         std::uint32_t site) {
  Thread& self = threads_[static_cast<std::size_t>(thread_)];
  self.site = site;
  self.kind = kind;
  if ((mask >> (thread_ % 32) & 1) == 0) {
    note(FindingKind::kCollectiveMismatch, thread_,
         fmt::format("thread {} calls {} with the mask {:#010x}, which leaves out its own lane {}",
                     thread_, name_of(kind), mask, thread_ % 32));
    stop();
  }
  const int width = operand.width;
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    note(FindingKind::kCollectiveMismatch, thread_,
         fmt::format("thread {} calls {} with the width {}, which is no power of two up to 32",
                     thread_, name_of(kind), width));
    stop();
  }
  self.mask = mask;
  self.operand = operand;
  pass_on(State::kInCollective);
  return self.result;
}

std::uint32_t BlockRunner::lanes_alive(int warp) const {
  const std::size_t first = static_cast<std::size_t>(warp) * 32;
  std::uint32_t alive = 0;
  for (std::size_t i = first; i < std::min(first + 32, threads_.size()); ++i) {
    if (threads_[i].state != State::kDone) alive |= std::uint32_t{1} << (i - first);
  }
  return alive;
}

// Lanes named by the mask that have ended, or never were, need not come.
std::uint32_t BlockRunner::required_by(int index) const {
  return threads_[static_cast<std::size_t>(index)].mask & lanes_alive(index / 32);
}

// False when nobody who waits in the group can go on.
bool BlockRunner::settle_warps(const Group& group) {
  bool any = false;
  for (int warp = group.first_warp; warp <= group.last_warp; ++warp) {
    met_.clear();
    while (in_collective_ > 0 && settle_warp(warp)) any = true;
  }
  return any;
}

// Completes one group of lanes that wait for each other; false when there is none.
bool BlockRunner::settle_warp(int warp) {
  const std::size_t first = static_cast<std::size_t>(warp) * 32;
  const std::size_t end = std::min(first + 32, threads_.size());
  for (std::size_t i = first; i < end; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state != State::kInCollective) continue;
    const std::uint32_t required = required_by(static_cast<int>(i));
    bool all_here = true;
    for (std::size_t j = first; all_here && j < end; ++j) {
      if ((required >> (j - first) & 1) == 0) continue;
      const Thread& other = threads_[j];
      all_here = other.state == State::kInCollective && other.kind == thread.kind &&
                 other.mask == thread.mask && same_place(other.site, thread.site);
    }
    if (!all_here) continue;
    complete(warp, required, thread);
    return true;
  }
  return false;
}

void BlockRunner::complete(int warp, std::uint32_t members, const Thread& meeting) {
  const int first = warp * 32;
  std::array<LaneOperand, 32> operands{};
  for (int lane = 0; lane < 32; ++lane) {
    if ((members >> lane & 1) != 0) {
      operands[static_cast<std::size_t>(lane)] =
          threads_[static_cast<std::size_t>(first + lane)].operand;
    }
  }
  const CollectiveResult result = combine(meeting.kind, members, operands);
  for (int lane = 0; lane < 32; ++lane) {
    if ((members >> lane & 1) == 0) continue;
    Thread& thread = threads_[static_cast<std::size_t>(first + lane)];
    thread.result = result.values[static_cast<std::size_t>(lane)];
    thread.state = State::kReady;
    ++ready_;
    --in_collective_;
    if ((result.orphans >> lane & 1) != 0) {
      note(FindingKind::kCollectiveMismatch, first + lane,
           fmt::format("thread {} reads in {} from a lane that takes no part in it", first + lane,
                       name_of(meeting.kind)));
    }
  }
  const bool whole_warp =
      meeting.kind == Collective::kMatrixProduct || meeting.kind == Collective::kLoadMatrices;
  if (whole_warp && members != 0xffffffffU) {
    const int absent = std::countr_one(members);
    note(FindingKind::kCollectiveMismatch, first + std::countr_zero(members),
         fmt::format("thread {} takes part in {} without lane {} of its warp, which has ended",
                     first + std::countr_zero(members), name_of(meeting.kind), absent));
  }
  count(meeting);
  if (requests_ != nullptr) requests_->close(warp, counters_);
  // Of the warp operations only this one orders memory, and only for those who take part: a
  // barrier for part of a warp is not counted on, which may report a race that is none.
  if (meeting.kind == Collective::kSyncWarp && members == lanes_alive(warp)) {
    clock_.warp_begin[static_cast<std::size_t>(warp)] = ++clock_.now;
  }
}

// What groups of a warp's lanes do each for itself at one place is one operation of the warp, as
// are their requests for memory.
void BlockRunner::count(const Thread& meeting) {
  const std::pair operation(meeting.kind, meeting.site);
  if (std::find(met_.begin(), met_.end(), operation) != met_.end()) return;
  met_.push_back(operation);
  ++counters_.collectives;
}

void BlockRunner::settle_barrier() {
  if (in_collective_ > 0) return;  // stuck, and said so by the caller
  int first = -1;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const Thread& thread = threads_[i];
    if (thread.state != State::kAtBarrier) continue;
    if (first < 0) first = static_cast<int>(i);
    const std::uint32_t site = threads_[static_cast<std::size_t>(first)].site;
    if (same_place(thread.site, site)) continue;
    note(FindingKind::kBarrierDivergence, static_cast<int>(i),
         fmt::format("thread {} waits at another __syncthreads than thread {}, which waits at {}",
                     i, first, lines_.where(site)));
    stopped_ = true;
    return;
  }
  if (done_ > 0) return;  // likewise
  for (Thread& thread : threads_) thread.state = State::kReady;
  ready_ = static_cast<int>(threads_.size());
  at_barrier_ = 0;
  ++counters_.barriers;
  if (requests_ != nullptr) close_phase(threads_[0].site);
  clock_.phase_begin = ++clock_.now;
  clock_.warp_begin.fill(clock_.now);
}

// The compiler may copy a call; its copies stand for the same place of the text.
bool BlockRunner::same_place(std::uint32_t a, std::uint32_t b) {
  if (a == b) return true;
  lines_.prepare({a, b});
  return !lines_.chain(a).empty() && lines_.chain(a) == lines_.chain(b);
}

std::string BlockRunner::doing(int index) {
  const Thread& thread = threads_[static_cast<std::size_t>(index)];
  switch (thread.state) {
    case State::kDone:
      return "has ended";
    case State::kAtBarrier:
      return "waits at __syncthreads at " + lines_.where(thread.site);
    case State::kInCollective:
      return fmt::format("waits in {} with mask {:#010x} at {}", name_of(thread.kind), thread.mask,
                         lines_.where(thread.site));
    case State::kReady:
      break;
  }
  unreachable("a stuck block has a thread that could run");
}

// Nobody can go on: says who waits for whom.
void BlockRunner::note_stuck() {
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const Thread& thread = threads_[i];
    if (thread.state != State::kInCollective) continue;
    const std::size_t first = i / 32 * 32;
    const std::uint32_t required = required_by(static_cast<int>(i));
    for (std::size_t j = first; j < std::min(first + 32, threads_.size()); ++j) {
      const Thread& other = threads_[j];
      if ((required >> (j - first) & 1) == 0 ||
          (other.state == State::kInCollective && other.kind == thread.kind &&
           other.mask == thread.mask && same_place(other.site, thread.site))) {
        continue;
      }
      note(FindingKind::kCollectiveMismatch, static_cast<int>(i),
           fmt::format("thread {} waits in {} with mask {:#010x} for thread {}, which {}", i,
                       name_of(thread.kind), thread.mask, j, doing(static_cast<int>(j))));
      return;
    }
  }
  int waiting = -1, ended = -1;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].state == State::kAtBarrier && waiting < 0) waiting = static_cast<int>(i);
    if (threads_[i].state == State::kDone && ended < 0) ended = static_cast<int>(i);
  }
  note(FindingKind::kBarrierDivergence, waiting,
       fmt::format("thread {} waits at __syncthreads, which thread {} never reaches", waiting,
                   ended));
}

void BlockRunner::note(FindingKind kind, int thread, std::string words) {
  Observation seen;
  seen.kind = kind;
  seen.site = threads_[static_cast<std::size_t>(thread)].site;
  seen.block = block_;
  seen.thread = thread;
  seen.words = std::move(words);
  log_.note(std::move(seen));
}

}  // namespace heddle::emulator
