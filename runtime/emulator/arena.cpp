// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/arena.hpp"

#include <sys/mman.h>

#include <utility>

namespace heddle::emulator {
namespace {

constexpr std::size_t kPage = 4096;

char* map_pages(std::size_t bytes, int protection) {
  void* address =
      mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? nullptr : static_cast<char*>(address);
}

}  // namespace

Result<Pages> Pages::map(std::size_t bytes) {
  Pages pages;
  pages.bytes_ = (bytes + kPage) & ~(kPage - 1);
  pages.data_ = map_pages(pages.bytes_, PROT_READ | PROT_WRITE);
  if (pages.data_ == nullptr) return Error{"not enough memory to emulate this launch"};
  return pages;
}

Result<Pages> Pages::reserve(std::size_t bytes) {
  Pages pages;
  pages.bytes_ = (bytes + kPage) & ~(kPage - 1);
  pages.data_ = map_pages(pages.bytes_, PROT_NONE);
  if (pages.data_ == nullptr) return Error{"not enough address space to emulate this launch"};
  return pages;
}

Pages::Pages(Pages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Pages& Pages::operator=(Pages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

bool Pages::commit(std::size_t offset, std::size_t bytes) {
  return mprotect(data_ + offset, bytes, PROT_READ | PROT_WRITE) == 0;
}

Result<Arena> Arena::create(const std::vector<std::size_t>& sizes) {
  Arena arena;
  auto space = Pages::reserve(sizes.size() * kSlot);
  if (!space) return space.error();
  arena.space_ = std::move(*space);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > kSlot / 2) return Error{"a buffer is too large to emulate"};
    if (sizes[i] > 0 && !arena.space_.commit(i * kSlot + kSlot / 2, sizes[i])) {
      return Error{"not enough memory to emulate this launch"};
    }
  }
  return arena;
}

}  // namespace heddle::emulator
