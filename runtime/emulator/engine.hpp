// SPDX-License-Identifier: Apache-2.0
// One emulated launch in progress: what the module's hooks call, and the loop over the blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/emulator/block_runner.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "runtime/emulator/memory.hpp"

namespace heddle::emulator {

class Engine {
 public:
  // All arguments must outlive the engine; the launch fits the kernel.
  Engine(const Launch& launch, Dialect dialect, ModuleImage& image, Memory& memory, Fibers& fibers,
         SourceLines& lines);
  // Holds what threads do on their stacks against their notes of gaps, which the module keeps.
  void watch_gaps() { gaps_watched_ = true; }
  EmulationResult run();

 private:
  void connect();
  void prepare_arguments();
  std::vector<Phase> phases();
  std::vector<int> order_of(int count, std::uint64_t salt) const;
  std::vector<BlockRunner::Group> groups_of(const std::vector<int>& order) const;

  void touch(const void* address, std::size_t size, Touch kind, std::uint32_t site);
  template <bool kShared>
  void check(Array& array, std::size_t offset, std::size_t size, Touch kind, std::uint32_t site);
  void refuse_write(const Array& array, std::size_t offset, std::size_t size, std::uint32_t site);
  void report(const Array& array, const Cell& before, Trouble trouble, std::size_t offset,
              std::size_t size, Touch kind, std::uint32_t site);
  void touch_working(Memory::Working& working, std::uintptr_t address, std::size_t size, Touch kind,
                     std::uint32_t site);
  void touch_elsewhere(std::uintptr_t address, std::size_t size, Touch kind, std::uint32_t site);
  [[noreturn]] void out_of_bounds(const Array* array, std::size_t offset, std::size_t size,
                                  Touch kind, std::uint32_t site, std::string words);
  void fault(heddle_emulated::Fault kind, long long detail, const char* type, std::uint32_t site);
  [[noreturn]] void exhausted(std::uint32_t site);
  Observation observe(FindingKind kind, std::uint32_t site) const;

  const Launch& launch_;
  Dialect dialect_;
  ModuleImage& image_;
  Memory& memory_;
  Fibers& fibers_;
  SourceLines& lines_;
  FindingLog log_;
  Counters counters_;
  Clock clock_;
  std::optional<RequestCounter> requests_;
  BlockRunner runner_;
  bool gaps_watched_ = false;
  struct Value {
    std::uint64_t bytes[2] = {};
  };
  std::vector<Value> values_;  // one per parameter, in its first bytes
  std::vector<void*> arguments_;
};

}  // namespace heddle::emulator
