// SPDX-License-Identifier: Apache-2.0
// The explicit state between launches: writing the whole of it after a prefill, and moving it on by
// one token during decode. A cache holds exactly the positions that later rows read.
#pragma once

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

// Writes every element of the side's final_ buffers; free slots get position 0 and zeros. All
// outputs of the launch must be visible to the threads that call.
void write_final_cache(Frame& frame, const SideFrame& side, bool chunks_share = false);
// Of both sides, where they keep anything. `chunks_share`: blocks of all chunks have slots of their
// own where every position stays.
void write_final_state(Frame& frame, bool chunks_share = false);

// Where the newest token goes.
struct NewSlot {
  ir::Ex stored;  // whether it is kept at all
  ir::Ex slot;
};
// Frees the slots that the row after next no longer reads and picks the one for the newest token.
// On cuda: before it all reads of the cache must be over, and the result is there after the next
// barrier, where settle() must be called.
class NewSlotSearch {
 public:
  NewSlotSearch(Frame& frame, const SideFrame& side);
  NewSlot settle();

 private:
  Frame& frame_;
  const SideFrame& side_;
  ir::MemoryId rooms_;  // shared: slots minus the first free slot, by warp; 0 when there is none
  ir::Var room_;
};

}  // namespace heddle::schedule
