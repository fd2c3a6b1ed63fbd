// SPDX-License-Identifier: Apache-2.0
// Which row of shared memory holds which position, where the rows of B are nested: what the rows
// of a chunk read of earlier ones is what its first row reads. The list is in descending order, so
// that a row that is walked downwards finds its positions by moving a cursor on. There are two
// lists, the chunk's and the next one's. A row of shared memory says itself which entry it was
// taken for and which position it holds, so that whatever lists hold, no two warps fill one row,
// and none is read that was not filled.
#pragma once

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

class LiveList {
 public:
  using Visit = std::function<void(ir::Ex)>;  // of a position

  // Lists of as many positions as there are rows of shared memory: `rows`, at most `most`.
  LiveList(Frame& frame, const SideFrame& side, int most, ir::Ex rows);

  // What row start + 1 reads. One thread writes it; a barrier behind it is the caller's.
  void open();
  // What the row behind the chunk reads, from this chunk's list and the chunk, whose rows lie
  // behind position `final_to`; `walk` goes through that row. By a thread of the last warp, while
  // the others work on the chunk: nothing that they look at is changed.
  void advance(ir::Ex final_to, const std::function<void(const Visit&)>& walk);
  void swap();  // the next list becomes this one; for all threads

  // body(position, row of shared memory) by one warp each, for the whole list of open().
  void each_opened(const std::function<void(ir::Ex, ir::Ex)>& body);
  // The same for what advance() has added; before swap().
  void each_added(const std::function<void(ir::Ex, ir::Ex)>& body);
  // By the warp that has filled the row with what belongs to p.
  void note(ir::Ex p, ir::Ex row);

  // Before candidates are asked for.
  void begin_chunk();
  // Before the positions of a row are looked for.
  void begin_row();
  // The row that holds p, -1 if none does. Positions must come in descending order.
  ir::Ex find(ir::Ex p);
  // The row that may hold p, -1 if none does: that of the last entry which is not below p. In any
  // order, and by many threads side by side.
  ir::Ex candidate_for(ir::Ex p);
  // `candidate`, at most the number of rows, if it holds p, else -1.
  ir::Ex checked(ir::Ex candidate, ir::Ex p);

 private:
  ir::Ex at(ir::Ex entry) const { return parity_ * most_ + entry; }
  ir::Ex at_next(ir::Ex entry) const { return (builder_.i64(1) - parity_) * most_ + entry; }
  ir::Var take_free(ir::Var free, ir::Ex entry) const;
  void clear();
  void each(ir::Ex list, ir::Ex count, const std::function<void(ir::Ex, ir::Ex)>& body);

  Frame& frame_;
  ir::Builder& builder_;
  const SideFrame& side_;
  std::int64_t most_;
  ir::Ex rows_;
  ir::MemoryId held_, row_, free_;  // positions, their rows; a stack of free rows
  ir::MemoryId taken_for_, holds_;  // of a row: its entry, its position
  ir::MemoryId counts_;             // entries of either list, then free rows, then added entries
  ir::Var parity_;
  ir::Var cursor_;  // of a row that is walked
  ir::Ex count_;
};

}  // namespace heddle::schedule
