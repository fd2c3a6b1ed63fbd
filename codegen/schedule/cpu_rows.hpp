// SPDX-License-Identifier: Apache-2.0
// What a cpu prefill holds in working memory of the rows that are read: how each side's rows are
// listed, where inputs, outputs and keys lie, and the way of the state into it and out of it.
// Heads lie interleaved in the caller's buffers, where the rows of one would share few sets of a
// cache: what rows read is copied side by side first, or as it is finished.
#pragma once

#include <optional>
#include <string>

#include "codegen/schedule/frame.hpp"
#include "codegen/schedule/row_list.hpp"

namespace heddle::schedule {

struct SideRows : RowList {
  SideFrame* frame = nullptr;
  ir::MemoryId values;  // rows by position, or by slot for kLattice
  ir::MemoryId keys;
  ir::MemoryId weights;  // of this row
  ir::Ex weights_at;
  std::optional<ir::Ex> ring;  // rows by position modulo this

  std::string letter() const { return frame->side == Side::kA ? "a" : "b"; }
};

class CpuRows {
 public:
  CpuRows(ir::Builder& builder, const KernelSpec& spec);

  // Once per launch of sequences that end at `length` or before: lists, and memory for rows.
  void prepare(SideRows& side);
  // Once per (batch, head): what the initial state holds, and the final one. Outputs of a launch
  // that is `around` are stored around the caches.
  void bring_state(SideRows& side);
  void leave_state(SideRows& side);
  // The steps of row i; those of shifted rows only grow.
  void list_steps(SideRows& side, ir::Ex i);
  ir::Operand steps_of(const SideRows& side);
  // The coefficients of a token's row.
  void find_weights(SideRows& side, ir::Ex token);

  bool by_position() const { return a.by_position() || b.by_position(); }
  // Rows of few outputs and their own input, given weights, the same for all channels: outputs
  // stand in a ring, as none is read after the longest step.
  bool by_short_rows() const {
    return a.shape == rows::RowShape::kItself && b.shape == rows::RowShape::kShifted &&
           !frame.softmax() && !frame.spec.by_channel() && !frame.spec.long_rows;
  }
  // ... and softmax weights, which runs of them have before their outputs; keys in a ring as well.
  bool by_runs() const;
  ir::Ex place(ir::Ex position) { return (position - 1) * width; }
  // Which row of the side's memory a position has, and where that row begins.
  ir::Ex row_of(const SideRows& side, ir::Ex position) {
    return side.ring ? (position - 1) % *side.ring : position - 1;
  }
  ir::Ex place(const SideRows& side, ir::Ex position) { return row_of(side, position) * width; }

  ir::Builder& builder;
  Frame frame;
  int channels;  // of the caller's rows
  int width;     // floats of a row in working memory
  RowLists lists;
  SideRows a, b;
  // The length that lists are for; once in a block, that of its sequence, which may be shorter.
  ir::Ex length;
  ir::Ex around;

 private:
  void list_steps_for_ring(SideRows& side, const rows::RowPlan& plan);
  void prepare_ring(SideRows& side, const rows::RowPlan& plan);
  void prepare_rings_of_runs(SideRows& side, const rows::RowPlan& plan);
  void prepare_lattice(SideRows& side);
  void copy_in(SideRows& side, ir::Ex row, ir::Ex slot);
  void copy_out(SideRows& side, ir::Ex slot, ir::Ex from);
  void copy_over(SideRows& side, ir::Ex slot);
  void clear_out(SideRows& side, ir::Ex slot);
  void store_position(const SideFrame& kept, ir::Ex slot, ir::Ex p);
};

}  // namespace heddle::schedule
