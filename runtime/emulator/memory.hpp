// SPDX-License-Identifier: Apache-2.0
// The arrays of one launch with their shadows: the launch's buffers in an arena, the module's
// __shared__ variables where they are.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/emulator/arena.hpp"
#include "runtime/emulator/finding_log.hpp"
#include "runtime/emulator/launch.hpp"
#include "runtime/emulator/module_image.hpp"
#include "runtime/emulator/shadow.hpp"

namespace heddle::emulator {

class Memory {
 public:
  // Copies the launch's data in. `image` must outlive this object.
  static Result<Memory> create(const Launch& launch, const ModuleImage& image);

  bool in_shared(std::uintptr_t address) const { return address - shared_begin_ < shared_bytes_; }
  bool in_global(std::uintptr_t address) const { return arena_.contains(address); }
  // The array whose part of the address space this is; the offset may still be out of it. nullptr
  // in the gaps between shared variables.
  Array* global_at(std::uintptr_t address) { return &global_[arena_.index_of(address)]; }
  Array* shared_at(std::uintptr_t address) {
    // Kernels stay with one array for a while.
    const bool again =
        last_shared_ != nullptr && address - last_shared_->begin < last_shared_->bytes;
    return again ? last_shared_ : find_shared(address);
  }

  // Working memory of a cpu kernel: like an array of its own, without contents each time it is
  // asked for. nullptr when there is not enough memory.
  void* reserve(int number, std::size_t bytes);
  struct Working {
    Array array;
    Pages pages;
    Pages written;  // per byte: 1 when it holds something
    bool holds(std::size_t offset, std::size_t size) const;
    void write(std::size_t offset, std::size_t size);
  };
  Working* working_at(std::uintptr_t address);

  void* device_address(std::size_t buffer) const { return arena_.array(buffer); }
  // Shared memory holds nothing when a block starts; what it physically holds is the same each
  // time.
  void begin_block();
  void note_unwritten(FindingLog& log) const;
  void copy_back(const Launch& launch) const;

 private:
  Array* find_shared(std::uintptr_t address);

  Arena arena_;
  std::vector<Pages> pages_;  // of the shadows
  std::vector<Array> global_;
  std::vector<Array> shared_;
  std::map<int, Working> working_;  // by number
  Array* last_shared_ = nullptr;
  std::uintptr_t shared_begin_ = 0;
  std::size_t shared_bytes_ = 0;
};

}  // namespace heddle::emulator
