// SPDX-License-Identifier: Apache-2.0
// The memory in which a module notes the gaps between its threads' own arrays, at the addresses
// that its code computes (kGapNotes). Blank when made: no stack has a gap yet.
#pragma once

#include <cstddef>

#include "patterns/result.hpp"
#include "runtime/emulator/fibers.hpp"

namespace heddle::emulator {

class GapNotes {
 public:
  static Result<GapNotes> of(const Fibers& fibers);
  GapNotes(GapNotes&& other) noexcept;
  GapNotes& operator=(GapNotes&&) = delete;
  ~GapNotes();

 private:
  GapNotes(void* pages, std::size_t bytes) : pages_(pages), bytes_(bytes) {}
  void* pages_;
  std::size_t bytes_;
};

}  // namespace heddle::emulator
