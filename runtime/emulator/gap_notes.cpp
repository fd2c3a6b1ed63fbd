// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/gap_notes.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "runtime/emulator/device/bridge.hpp"

namespace heddle::emulator {

// Whole pages, which the margins of the stacks keep from being those of other stacks.
Result<GapNotes> GapNotes::of(const Fibers& fibers) {
  constexpr std::uintptr_t kPage = 4096;
  static_assert(kStackMargin >= 8 * kPage);
  const auto stacks = reinterpret_cast<std::uintptr_t>(fibers.stacks());
  const std::uintptr_t begin = (heddle_emulated::kGapNotes + stacks / 8) / kPage * kPage;
  const std::uintptr_t last =
      heddle_emulated::kGapNotes + (stacks + fibers.bytes_of_stacks() - 1) / 8;
  const std::size_t bytes = (last / kPage + 1) * kPage - begin;
  void* const wanted = reinterpret_cast<void*>(begin);
  void* const pages =
      mmap(wanted, bytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  GapNotes notes(pages == MAP_FAILED ? nullptr : pages, bytes);
  if (pages != wanted) return Error{"no memory for what a kernel notes of its own arrays"};
  return notes;
}

GapNotes::GapNotes(GapNotes&& other) noexcept
    : pages_(std::exchange(other.pages_, nullptr)), bytes_(other.bytes_) {}

GapNotes::~GapNotes() {
  if (pages_ != nullptr) munmap(pages_, bytes_);
}

}  // namespace heddle::emulator
