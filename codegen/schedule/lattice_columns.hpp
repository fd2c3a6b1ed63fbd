// SPDX-License-Identifier: Apache-2.0
// The columns that a chunk of rows of a lattice has scores for: what terms lead its first row to,
// in whole windows, then the slots of the state that the launch goes on from, as they lie; and the
// chunk's own rows. Listed in shared memory are positions and the last row that reads each, by the
// block's first threads, a column each or several. A position that a slot holds is no term's, and
// what several terms lead to is that of one. The first columns may be kept from chunk to chunk: as
// positions fall behind, later terms lead to them, so that what such a column holds was in the
// chunk before, or in an earlier column or the same one.
#pragma once

#include <vector>

#include "codegen/schedule/frame.hpp"
#include "codegen/schedule/lattice_terms.hpp"

namespace heddle::schedule {

class LatticeColumns {
 public:
  // What a launch has of columns: how many a window has, how many are listed at a time, how many
  // threads list; how many are kept, all of which are in the first list.
  struct Sizes {
    std::int64_t window, listed;
    int listers;
    std::int64_t kept = 0;
  };
  LatticeColumns(Frame& frame, const Sizes& sizes);
  // Of a launch that begins with the first row.
  LatticeColumns(ir::Builder& builder, const KernelSpec& spec, ir::Ex thread, const Sizes& sizes);

  // Of rows up to this one. Ends with a barrier.
  void open(ir::Ex last_row);
  ir::Ex of_terms() const { return of_terms_; }
  ir::Ex all() const { return all_; }
  // Before columns from `listed` on are listed; by all threads.
  void show(ir::Ex listed) { terms_.show(listed); }
  // Of the chunk behind position `before`; by those that list.
  void list(ir::Ex before, ir::Ex listed);
  // The same of the launch's first chunk from column 0 on, of which nothing is kept yet.
  void list_first();
  // The same for the next chunk, in steps between barriers: `begin` by all threads, then `find` and
  // four parts, the last of which lists it. Others may be listed before.
  void begin();
  // `turn`: of the chunk to come, whether it is an odd one, where columns are kept.
  void find(ir::Ex before, ir::Ex turn = {});
  void list_further(ir::Ex part);

  // Of the state, for a column behind those of terms; one without a token is not taken.
  struct Slot {
    ir::Ex number, held, taken;
  };
  Slot slot_of(ir::Ex column);

  ir::MemoryId held;            // positions of listed columns, 0 where there is none
  ir::MemoryId last, own_last;  // the last reader of each, and of the chunk's own rows
  // Of kept columns, which of those before has what this one is to hold, or behind all of them
  // which row of the chunk before; negative where it holds nothing.
  ir::MemoryId source;

 private:
  // What a thread lists, step by step.
  struct Item {
    ir::Var position, dividing;
  };
  std::int64_t all_items() const;
  void each_item(const std::function<void(Item&, ir::Ex)>& body);
  void find(Item& item, ir::Ex number, ir::Ex before, ir::Ex listed,
            std::optional<ir::Var> led_to = {});
  ir::Ex source_of(ir::Ex p, ir::Ex before, ir::Ex turn_before);
  void note(const Item& item, ir::Ex number);
  void when_kept(ir::Ex number, const std::function<void(ir::Ex)>& body);

  bool cached() const { return frame_ != nullptr && frame_->b.cached(); }

  Frame* frame_ = nullptr;  // of a launch that may go on from a state
  ir::Builder& builder_;
  Sizes sizes_;
  ir::Ex thread_, start_;
  LatticeTerms terms_;
  std::vector<Item> items_;
  ir::Ex of_terms_, all_;
  ir::MemoryId led_to_;  // of kept columns, what their terms lead to, for chunks in turn
};

}  // namespace heddle::schedule
