// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/memory.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace heddle::emulator {
namespace {

Result<Pages> shadow_for(Array& array) {
  auto pages = Pages::map(array.bytes * sizeof(Cell));
  if (pages) array.cells = reinterpret_cast<Cell*>(pages->data());
  return pages;
}

}  // namespace

// Zeroed pages are valid cells: all their members mean "never" when zero.
static_assert(std::is_trivially_copyable_v<Cell>);

Result<Memory> Memory::create(const Launch& launch, const ModuleImage& image) {
  Memory memory;
  std::vector<std::size_t> sizes;
  for (const LaunchBuffer& buffer : launch.buffers) sizes.push_back(buffer.bytes);
  auto arena = Arena::create(sizes);
  if (!arena) return arena.error();
  memory.arena_ = std::move(*arena);
  for (std::size_t i = 0; i < launch.buffers.size(); ++i) {
    const LaunchBuffer& buffer = launch.buffers[i];
    Array array;
    array.name = buffer.name;
    array.begin = reinterpret_cast<std::uintptr_t>(memory.arena_.array(i));
    array.bytes = buffer.bytes;
    array.readable_at_start = buffer.access != Access::kWrite;
    array.writable = buffer.access != Access::kRead;
    array.write_once = buffer.access == Access::kWrite;
    array.out_of_reach = buffer.out_of_reach;
    auto shadow = shadow_for(array);
    if (!shadow) return shadow.error();
    memory.pages_.push_back(std::move(*shadow));
    if (!buffer.uninitialised.empty()) {
      auto blank = Pages::map(buffer.bytes);
      if (!blank) return blank.error();
      array.blank = reinterpret_cast<std::uint8_t*>(blank->data());
      for (const ByteRange& range : buffer.uninitialised) {
        const std::size_t end = std::min(range.end, buffer.bytes);
        for (std::size_t at = range.begin; at < end; ++at) array.blank[at] = 1;
      }
      memory.pages_.push_back(std::move(*blank));
    }
    if (buffer.bytes > 0) std::memcpy(memory.arena_.array(i), buffer.data, buffer.bytes);
    memory.global_.push_back(std::move(array));
  }
  memory.shared_begin_ = reinterpret_cast<std::uintptr_t>(image.module->shared_begin);
  memory.shared_bytes_ =
      static_cast<std::size_t>(image.module->shared_end - image.module->shared_begin);
  for (const SharedVariable& variable : image.shared) {
    Array array;
    array.name = variable.name;
    array.begin = variable.begin;
    array.bytes = variable.bytes;
    if (variable.name == "heddle_dynamic_shared") {
      array.name = "dynamic shared memory";
      array.bytes = std::min(launch.dynamic_shared_bytes, variable.bytes);
    }
    array.shared = true;
    auto shadow = shadow_for(array);
    if (!shadow) return shadow.error();
    memory.pages_.push_back(std::move(*shadow));
    memory.shared_.push_back(std::move(array));
  }
  return memory;
}

// On both sides of working memory: an index that is wrong by less is seen to be wrong.
constexpr std::size_t kMargin = std::size_t{1} << 20;

void* Memory::reserve(int number, std::size_t bytes) {
  auto pages = Pages::map(bytes + 2 * kMargin);
  auto written = Pages::map(bytes);
  if (!pages || !written) return nullptr;
  Working& working = working_[number];
  working.pages = std::move(*pages);
  working.written = std::move(*written);
  // All ones: a NaN as a float and -1 as an index.
  std::memset(working.pages.data() + kMargin, 0xff, bytes);
  working.array.name = fmt::format("working memory {}", number);
  working.array.begin = reinterpret_cast<std::uintptr_t>(working.pages.data() + kMargin);
  working.array.bytes = bytes;
  return working.pages.data() + kMargin;
}

Memory::Working* Memory::working_at(std::uintptr_t address) {
  for (auto& [number, working] : working_) {
    if (address - reinterpret_cast<std::uintptr_t>(working.pages.data()) < working.pages.bytes()) {
      return &working;
    }
  }
  return nullptr;
}

bool Memory::Working::holds(std::size_t offset, std::size_t size) const {
  const char* const first = written.data() + offset;
  return std::all_of(first, first + size, [](char byte) { return byte != 0; });
}

void Memory::Working::write(std::size_t offset, std::size_t size) {
  std::memset(written.data() + offset, 1, size);
}

Array* Memory::find_shared(std::uintptr_t address) {
  for (Array& array : shared_) {
    if (address - array.begin < array.bytes) return last_shared_ = &array;
  }
  return nullptr;
}

void Memory::begin_block() {
  // All ones: a NaN as a float and -1 as an index, so that what leaks through is conspicuous. Of
  // dynamic shared memory what the launch has: the rest, a hundred times as much, nobody may touch.
  for (const Array& array : shared_) {
    std::memset(reinterpret_cast<void*>(array.begin), 0xff, array.bytes);
  }
}

namespace {

bool reaches(const Array& array, std::size_t granule) {
  const std::size_t begin = granule << array.shift;
  return std::none_of(
      array.out_of_reach.begin(), array.out_of_reach.end(),
      [&](const ByteRange& range) { return begin >= range.begin && begin < range.end; });
}

void note_out_of_reach(const Array& array, FindingLog& log) {
  for (std::size_t i = 0; i < array.granules(); ++i) {
    if (array.cells[i].write_tick == 0 || reaches(array, i)) continue;
    Observation seen;
    seen.kind = FindingKind::kOutOfBounds;
    seen.array = &array;
    seen.offset = i << array.shift;
    seen.size = std::size_t{1} << array.shift;
    seen.is_write = true;
    seen.words = fmt::format("{}[{}], which belongs to no sequence, is written", array.name, i);
    return log.note(std::move(seen));
  }
}

}  // namespace

void Memory::note_unwritten(FindingLog& log) const {
  for (const Array& array : global_) {
    if (!array.out_of_reach.empty()) note_out_of_reach(array, log);
    if (!array.write_once) continue;
    std::size_t first = array.granules(), missing = 0;
    for (std::size_t i = array.granules(); i-- > 0;) {
      if (array.cells[i].write_tick != 0 || !reaches(array, i)) continue;
      first = i;
      ++missing;
    }
    if (missing == 0) continue;
    const std::size_t size = std::size_t{1} << array.shift;
    Observation seen;
    seen.kind = FindingKind::kUnwritten;
    seen.array = &array;
    seen.offset = first * size;
    seen.size = size;
    seen.words = fmt::format("{} of {} elements of {} are left unwritten, the first is {}[{}]",
                             missing, array.granules(), array.name, array.name, first);
    log.note(std::move(seen));
  }
}

void Memory::copy_back(const Launch& launch) const {
  for (std::size_t i = 0; i < launch.buffers.size(); ++i) {
    const LaunchBuffer& buffer = launch.buffers[i];
    if (buffer.access == Access::kRead || buffer.bytes == 0) continue;
    std::memcpy(buffer.data, arena_.array(i), buffer.bytes);
  }
}

}  // namespace heddle::emulator
