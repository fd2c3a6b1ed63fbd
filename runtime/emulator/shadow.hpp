// SPDX-License-Identifier: Apache-2.0
// Shadow memory: for each granule of an array, who wrote it last and who has read it since when.
//
// Time is one counter that every barrier of the block or of a warp moves on. Two accesses of a
// launch are ordered when they are of one thread, or a block barrier lies between them, or they are
// of one warp and a warp barrier lies between them. Blocks are never ordered. Since time only grows
// and one thread runs at a time, "a barrier lies between" is one comparison.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/emulator/device/bridge.hpp"
#include "runtime/emulator/launch.hpp"

namespace heddle::emulator {

using heddle_emulated::Touch;

struct Cell {
  std::uint32_t write_tick = 0;  // 0: not written in this launch
  std::uint32_t write_site = 0;
  std::uint32_t read_tick = 0;  // 0: not read in this launch
  std::uint32_t read_site = 0;
  std::uint16_t write_lane = 0;
  std::uint16_t read_lane = 0;
  bool write_atomic : 1 = false;
  bool in_flight : 1 = false;       // an asynchronous copy will arrive here
  bool read_by_lanes : 1 = false;   // by several lanes of read_lane's warp since its last barrier
  bool read_by_warps : 1 = false;   // by several warps since the last block barrier
  bool read_by_blocks : 1 = false;  // by several blocks in this launch
};

struct Clock {
  std::uint32_t now = 1;
  std::uint32_t block_begin = 1;               // when the running block started
  std::uint32_t phase_begin = 1;               // its last barrier
  std::array<std::uint32_t, 32> warp_begin{};  // each warp's last barrier
};

// A global buffer or a __shared__ variable. Accesses are told apart per granule of 1 << shift
// bytes, four to begin with; a smaller access makes the granules smaller.
struct Array {
  std::string name;
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
  Cell* cells = nullptr;  // room for one per byte
  unsigned shift = 2;
  bool shared = false;
  bool readable_at_start = false;
  bool writable = true;
  bool write_once = false;
  std::uint8_t* blank = nullptr;  // per byte, 1: holds nothing to read at start; may be null
  std::vector<ByteRange> out_of_reach = {};  // that nobody may write

  std::size_t granules() const { return (bytes + (std::size_t{1} << shift) - 1) >> shift; }
  // Splits granules; what was known of a granule holds for each of its parts.
  void refine(unsigned finer) {
    const std::size_t old = granules();
    const std::size_t parts = std::size_t{1} << (shift - finer);
    shift = finer;
    const std::size_t limit = granules();
    for (std::size_t i = old; i-- > 0;) {
      const Cell whole = cells[i];
      for (std::size_t part = parts; part-- > 0;) {
        if (i * parts + part < limit) cells[i * parts + part] = whole;
      }
    }
  }
};

struct Toucher {
  std::uint32_t site = 0;
  std::uint16_t lane = 0;
};

// What an access does to a cell, as the trouble it meets there; several may hold at once.
struct Trouble {
  bool races_with_write = false;
  bool races_with_read = false;
  bool between_blocks = false;
  bool uninitialised = false;
  bool written_before = false;
  explicit operator bool() const {
    return races_with_write || races_with_read || uninitialised || written_before;
  }
};

inline unsigned warp_of(unsigned lane) { return lane / 32; }

template <bool kShared>
inline Trouble race_with_write(const Cell& cell, const Clock& clock, Toucher by, bool atomic) {
  Trouble trouble;
  if (cell.write_tick == 0 || (atomic && cell.write_atomic)) return trouble;
  if (cell.write_tick < clock.block_begin) {
    trouble.races_with_write = trouble.between_blocks = !kShared;
  } else if (cell.write_tick >= clock.phase_begin && cell.write_lane != by.lane) {
    trouble.races_with_write = warp_of(cell.write_lane) != warp_of(by.lane) ||
                               cell.write_tick >= clock.warp_begin[warp_of(by.lane)];
  }
  return trouble;
}

template <bool kShared>
inline bool written(const Cell& cell, const Clock& clock) {
  return kShared ? cell.write_tick >= clock.block_begin : cell.write_tick != 0;
}

template <bool kShared>
inline Trouble trouble_of_read(const Cell& cell, const Clock& clock, Toucher by,
                               bool readable_at_start) {
  Trouble trouble = race_with_write<kShared>(cell, clock, by, false);
  trouble.uninitialised = !readable_at_start && (cell.in_flight || !written<kShared>(cell, clock));
  return trouble;
}

template <bool kShared>
inline void note_read(Cell& cell, const Clock& clock, Toucher by) {
  if (!kShared && cell.read_tick != 0 && cell.read_tick < clock.block_begin) {
    cell.read_by_blocks = true;
  }
  const unsigned warp = warp_of(by.lane);
  if (cell.read_tick < clock.phase_begin) {
    cell.read_by_warps = cell.read_by_lanes = false;
  } else if (warp_of(cell.read_lane) != warp) {
    cell.read_by_warps = true;
  } else if (cell.read_tick < clock.warp_begin[warp]) {
    cell.read_by_lanes = false;
  } else if (cell.read_lane != by.lane) {
    cell.read_by_lanes = true;
  }
  cell.read_tick = clock.now;
  cell.read_site = by.site;
  cell.read_lane = by.lane;
}

template <bool kShared>
inline Trouble trouble_of_write(const Cell& cell, const Clock& clock, Toucher by, bool write_once,
                                bool atomic) {
  Trouble trouble = race_with_write<kShared>(cell, clock, by, atomic);
  trouble.written_before = write_once && !atomic && written<kShared>(cell, clock);
  if (cell.read_tick == 0 || (kShared && cell.read_tick < clock.block_begin)) return trouble;
  const unsigned warp = warp_of(by.lane);
  if (cell.read_by_blocks || cell.read_tick < clock.block_begin) {
    trouble.races_with_read = trouble.between_blocks = true;
  } else if (cell.read_tick >= clock.phase_begin) {
    trouble.races_with_read = cell.read_by_warps || warp_of(cell.read_lane) != warp ||
                              (cell.read_tick >= clock.warp_begin[warp] &&
                               (cell.read_by_lanes || cell.read_lane != by.lane));
  }
  return trouble;
}

inline void note_write(Cell& cell, const Clock& clock, Toucher by, Touch kind) {
  cell.write_tick = clock.now;
  cell.write_site = by.site;
  cell.write_lane = by.lane;
  cell.write_atomic = kind == Touch::kAtomic;
  cell.in_flight = kind == Touch::kCopyStarts;
}

}  // namespace heddle::emulator
