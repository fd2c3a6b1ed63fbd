// SPDX-License-Identifier: Apache-2.0
// The rows in shared memory that diagonals on tensor cores are taken of: how they come in, and go
// out. The chunk's own lie in a ring behind the chunks before it; what longer distances find comes
// into another ring, distance by distance.
#pragma once

#include <functional>

#include "codegen/schedule/diagonal_plan.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

class DiagonalRows {
 public:
  explicit DiagonalRows(Frame& frame);

  const DiagonalLayout layout;
  ir::MemoryId staged;

  // The ring's rows before the launch's first token, and blanks where no row has come yet.
  void open();
  // Queries, keys and inputs. Rows beyond the last token are zero.
  void bring_first_chunk();
  // Sixteen of the chunk from `first` on, from this one of them, if there is one; those that were
  // asked for before are there for their thread.
  void bring_sixteen(ir::Ex first, ir::Ex turn, ir::Ex part);
  // Of what the rows behind position `before` find so far off, the first rows, from this slot on.
  // The others were found at the distance before.
  void bring_window(ir::Ex before, ir::Ex distance, ir::Ex from_slot, ir::Ex rows);
  // All that was asked for is there, and nobody is busy with rows any more.
  void arrive();
  void write(ir::Ex first, ir::Ex size, ir::Ex turn);

 private:
  void bring(ir::Ex first, ir::Ex turn, ir::Ex part, ir::Ex count);
  void bring_again(ir::Ex first);
  void clear(ir::Ex at);
  void start(ir::Ex to, ir::MemoryId from, ir::Ex at);
  void each_piece(ir::Ex rows, const std::function<void(ir::Ex, ir::Ex)>& body);

  Frame& frame_;
  ir::Builder& builder_;
};

}  // namespace heddle::schedule
