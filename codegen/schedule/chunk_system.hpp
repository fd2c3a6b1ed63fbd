// SPDX-License-Identifier: Apache-2.0
// The rows of a chunk as a system, where rows of B are nested, so that what they read of earlier
// rows is what the first of them reads. With N what the chunk's rows weigh for each other and L
// what the live states before it do,
//   S = M K X^T + W S_live    with M = (I - N)^-1 and W = M L,
// of as many live states at a time as a window has. A live state's rank is its place in the row
// that reads it, which is walked from the newest position to the oldest; that of a state which
// stays live, or of a row of the chunk, is likewise its place in the row behind the chunk.
#pragma once

#include <functional>

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

class ChunkSystem {
 public:
  // `reals` is laid out as StatesLayout says.
  ChunkSystem(Frame& frame, ir::MemoryId reals);

  struct Chunk {
    ir::Ex first, size;   // tokens of the launch
    ir::Ex before, last;  // the newest positions before it and of it
  };

  // What the row behind the chunk reads: of the chunk, and in all. One thread finds out; both
  // numbers are there behind a barrier.
  void look_ahead(const Chunk& chunk);
  ir::Ex fresh() const;
  ir::Ex next() const;
  // Of rank `rank` < fresh(): which row of the chunk.
  ir::Ex fresh_row(ir::Ex rank) const;

  // M, and W for the `count` live states from rank `window` on. All threads arrive, more than once
  // at barriers; the last of them is behind it.
  void solve(const Chunk& chunk, ir::Ex window, ir::Ex count);
  // Of live state `state` of the window: its rank behind the chunk, -1 where it is live no more.
  ir::Ex moved_to(ir::Ex state) const;
  ir::Ex weight(ir::Ex state, ir::Ex row) const;

 private:
  void list(const Chunk& chunk, ir::Ex window, ir::Ex count);
  void spread_row(const Chunk& chunk, ir::Ex count);
  void follow(const Chunk& chunk, ir::Ex count);
  void substitute(ir::Ex count);
  ir::Var walk_behind(const Chunk& chunk, const std::function<void(ir::Ex, ir::Ex)>& body);
  ir::Var find(ir::Var cursor, ir::Ex count, ir::Ex p);
  ir::Ex inner(ir::Ex row, ir::Ex column) const;

  Frame& frame_;
  ir::Builder& builder_;
  const SideFrame& side_;
  ir::MemoryId reals_;
  ir::MemoryId held_, moved_;  // of the window: positions, and ranks behind the chunk
  ir::MemoryId fresh_rows_, nearest_;
  ir::MemoryId counts_;
};

}  // namespace heddle::schedule
