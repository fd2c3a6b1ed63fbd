// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/fibers.hpp"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>

namespace heddle::emulator {

namespace context = boost::context::detail;

namespace {

// The stacks of this OS thread's last launch: to get their pages anew takes longer than a short
// launch. What they hold means as little as what a block leaves to the next one.
thread_local Pages kept_stacks;

// Were stacks a power of two apart, all of them would share few entries of the table in which a
// processor looks up pages.
constexpr std::size_t kShift = 4096;

}  // namespace

Result<Fibers> Fibers::create(int count, std::size_t stack_bytes) {
  Fibers fibers;
  fibers.stack_bytes_ = stack_bytes + kShift;
  const std::size_t bytes = static_cast<std::size_t>(count) * fibers.stack_bytes_;
  if (kept_stacks.bytes() >= bytes + 2 * kStackMargin) {
    fibers.stacks_ = std::move(kept_stacks);
  } else {
    auto stacks = Pages::map(bytes + 2 * kStackMargin);
    if (!stacks) return stacks.error();
    fibers.stacks_ = std::move(*stacks);
    // A huge page per stack would turn kilobytes into gigabytes.
    madvise(fibers.stacks_.data(), fibers.stacks_.bytes(), MADV_NOHUGEPAGE);
  }
  fibers.fibers_.resize(static_cast<std::size_t>(count));
  return fibers;
}

Fibers::~Fibers() {
  if (stacks_.bytes() > kept_stacks.bytes()) kept_stacks = std::move(stacks_);
}

const char* Fibers::stack_begin(int index) const {
  return stacks() + static_cast<std::size_t>(index) * stack_bytes_;
}

namespace {

// What travels with a jump: where to note the place that was left.
struct Jump {
  Fibers* fibers = nullptr;
  void** left = nullptr;
};

void arrive(context::transfer_t transfer) {
  *static_cast<const Jump*>(transfer.data)->left = transfer.fctx;
}

}  // namespace

void Fibers::start(int index, Body body, void* argument) {
  Fiber& fiber = fibers_[static_cast<std::size_t>(index)];
  fiber.body = body;
  fiber.argument = argument;
  // Stacks lie whole pages apart; without a shift their hot ends would share cache sets.
  const std::size_t colour = static_cast<std::size_t>(index % 64) * 192;
  char* top =
      stacks_.data() + kStackMargin + static_cast<std::size_t>(index + 1) * stack_bytes_ - colour;
  fiber.context =
      context::make_fcontext(top, stack_bytes_ - colour, [](context::transfer_t transfer) {
        const Fibers& self = *static_cast<const Jump*>(transfer.data)->fibers;
        arrive(transfer);
        const Fiber& running = self.fibers_[static_cast<std::size_t>(self.running_)];
        running.body(running.argument);
        unreachable("a finished fiber was resumed");
      });
}

void Fibers::jump(void* target, void** left) {
  Jump jump{this, left};
  arrive(context::jump_fcontext(target, &jump));
}

void Fibers::resume(int index) {
  running_ = index;
  jump(fibers_[static_cast<std::size_t>(index)].context, &outside_);
}

void Fibers::switch_to(int index) {
  void** left = &fibers_[static_cast<std::size_t>(running_)].context;
  running_ = index;
  jump(fibers_[static_cast<std::size_t>(index)].context, left);
}

void Fibers::suspend() { jump(outside_, &fibers_[static_cast<std::size_t>(running_)].context); }

}  // namespace heddle::emulator
