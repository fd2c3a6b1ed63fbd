// SPDX-License-Identifier: Apache-2.0
// Where an emulated launch keeps its global arrays: far apart in reserved address space, so that an
// index that is wrong by anything up to eight gigabytes meets no other array, and finding the array
// of an address is a shift.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "patterns/result.hpp"

namespace heddle::emulator {

// Zeroed pages that cost nothing until touched.
class Pages {
 public:
  static Result<Pages> map(std::size_t bytes);
  static Result<Pages> reserve(std::size_t bytes);  // addresses only, nothing may be touched

  Pages() = default;
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&& other) noexcept;
  ~Pages();

  // Makes part of a reservation usable.
  bool commit(std::size_t offset, std::size_t bytes);
  char* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

class Arena {
 public:
  static Result<Arena> create(const std::vector<std::size_t>& sizes);

  char* array(std::size_t index) const { return space_.data() + index * kSlot + kSlot / 2; }
  bool contains(std::uintptr_t address) const {
    return address - reinterpret_cast<std::uintptr_t>(space_.data()) < space_.bytes();
  }
  // The array that an address in the arena is nearest to.
  std::size_t index_of(std::uintptr_t address) const {
    return (address - reinterpret_cast<std::uintptr_t>(space_.data())) >> kSlotBits;
  }

 private:
  static constexpr unsigned kSlotBits = 34;
  static constexpr std::size_t kSlot = std::size_t{1} << kSlotBits;
  Pages space_;
};

}  // namespace heddle::emulator
