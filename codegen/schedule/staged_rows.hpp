// SPDX-License-Identifier: Apache-2.0
// Where a staged prefill finds the key and the value of a position: in the ring of the newest rows,
// among the live rows, or in global memory. All places in shared memory are those of one dynamic
// array: the ring of keys, the ring of values, live keys, live values.
#pragma once

#include "codegen/schedule/chunk_entries.hpp"
#include "codegen/schedule/live_list.hpp"
#include "codegen/schedule/mixer.hpp"

namespace heddle::schedule {

class StagedRows {
 public:
  // Declares the sizes and the array. `side` is the one whose rows reach back.
  StagedRows(Frame& frame, const SideFrame& side, RowGroups& groups);

  // Before the first chunk: what it reads of the initial state.
  void open();
  // Keys, and inputs where `side` reads inputs, of the rows from token `first` on have come in, and
  // those of the chunk after it are under way unless they come in while this one is solved.
  void begin_chunk(ir::Ex first);
  // Behind a barrier after which no row asks before the next chunk.
  void begin_solve();
  // Whether the next chunk's rows come in from then on.
  bool late() const;
  // Between two chunks, when outputs of the first one are in the ring; ends with a barrier.
  void close_chunk();

  // Whether what rows read is looked up before a chunk.
  bool looked_up() const { return entries_.has_value(); }
  using TakeEntry = std::function<void(ir::Ex, const Mixer::Entry&)>;
  // Before the entries of one row, which come in descending order.
  void begin_row();
  // The entry at position p of a row of this chunk, whose values are final where it asks for them.
  Mixer::Entry entry(ir::Ex p);
  // take(position, entry) for all of row r of this chunk, which is row `row`.
  void each_entry(ir::Ex r, ir::Ex row, const TakeEntry& take);
  // The same where rows are looked up, and who takes an entry is told of it some entries ahead;
  // `walks` comes before rows that are walked instead.
  void each_entry_ahead(const ChunkEntries::Ahead& ahead, ir::Ex r, ir::Ex row,
                        const TakeEntry& take, const std::function<void()>& walks);
  // The entry at the row's own position, its value an input in global memory.
  Mixer::Entry own(ir::Ex r, ir::Ex token) const;
  // Of gated weights: the first element of `values` where gates lie, behind the rings.
  ir::Ex gates_at() const { return behind_rings(); }
  // Channel 0 of the value of row r of this chunk.
  ir::Ex value_at(ir::Ex r) const { return values_ + (value_base_ + r) * dim_; }

  ir::MemoryId staged;  // keys, and
  ir::MemoryId values;  // values: the same memory, or what lies behind in it where these are reals

 private:
  void start_chunk(ir::Ex first);
  void move_on();
  void fetch_live(ir::Ex p, ir::Ex row);
  void copy_live(ir::Ex r, ir::Ex row);
  bool fetches_values() const { return side_.side == Side::kA; }
  bool fetches() const { return frame_.softmax() || fetches_values(); }
  void in_ring(ir::MemoryId ring, ir::Ex base, ir::Ex rows, ir::Ex origin, ir::Ex behind,
               const Mixer::Use& use);
  ir::Ex behind_rings() const { return values_ + value_rows_ * dim_; }
  bool live() const { return spec_.staging->live_rows > 0; }
  void look_ahead();
  Mixer::Entry live_entry(ir::Ex p, ir::Ex row);
  void elsewhere(ir::Ex p, bool key, const Mixer::Use& use);

  Frame& frame_;
  ir::Builder& builder_;
  const KernelSpec& spec_;
  const SideFrame& side_;
  RowGroups& groups_;
  int dim_;
  int chunk_rows_;
  ir::Ex key_rows_, value_rows_, live_rows_;
  std::optional<ir::Ex> gate_rows_;
  ir::Ex values_, live_keys_, live_values_;  // where they begin in `staged`
  ir::Var next_key_, next_value_;            // where the next chunk's rows begin in the rings
  ir::Ex first_, next_, final_to_, key_base_, value_base_, key_reach_,
      value_reach_;  // of this chunk
  std::optional<LiveList> list_;
  std::optional<ChunkEntries> entries_;  // of a lattice
};

}  // namespace heddle::schedule
