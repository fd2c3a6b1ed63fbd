// SPDX-License-Identifier: Apache-2.0
// One fiber per CUDA thread, all on the calling OS thread. A fiber that is no longer wanted is
// dropped without unwinding: kernel code owns nothing.
#pragma once

#include <cstddef>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/emulator/arena.hpp"

namespace heddle::emulator {

// As far as a page of notes of gaps reaches, see gap_notes.hpp.
constexpr std::size_t kStackMargin = 8 * 4096;

class Fibers {
 public:
  using Body = void (*)(void* context);

  static Result<Fibers> create(int count, std::size_t stack_bytes);
  Fibers(Fibers&&) noexcept = default;
  Fibers& operator=(Fibers&&) noexcept = default;
  ~Fibers();

  // From outside: makes fiber `index` start `body(context)` when next resumed.
  void start(int index, Body body, void* context);
  // From outside: runs the fiber, and those it switches to, until one of them suspends.
  void resume(int index);
  // From inside the running fiber: another one goes on in its place.
  void switch_to(int index);
  // From inside the running fiber: back to whoever called resume. A body must end with this or
  // with switch_to.
  void suspend();

  const char* stack_begin(int index) const;
  // All of them, and nothing else within kStackMargin bytes around.
  const char* stacks() const { return stacks_.data() + kStackMargin; }
  std::size_t bytes_of_stacks() const { return stacks_.bytes() - 2 * kStackMargin; }
  std::size_t stack_bytes() const { return stack_bytes_; }

 private:
  Fibers() = default;
  struct Fiber {
    void* context = nullptr;
    Body body = nullptr;
    void* argument = nullptr;
  };
  void jump(void* target, void** left);

  Pages stacks_;
  std::size_t stack_bytes_ = 0;
  std::vector<Fiber> fibers_;
  int running_ = -1;
  void* outside_ = nullptr;
};

}  // namespace heddle::emulator
