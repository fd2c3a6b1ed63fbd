// SPDX-License-Identifier: Apache-2.0
// What a chunk's rows find at one distance, in shared memory: one run of rows, queries or keys and
// values. It is a ring by token, in which rows that the last distance left behind make room for
// those that come.
#pragma once

#include <optional>

#include "codegen/schedule/gradient_rows.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/window_plan.hpp"

namespace heddle::schedule {

class WindowRing {
 public:
  // Of a launch that takes `lambda` for the gradients of outputs, which have so many bytes.
  WindowRing(GradientFrame& frame, WindowUse use, ir::MemoryId lambda, int lambda_bytes);

  void declare();
  // No row is taken before it has come; but that rests on distances that ascend, which the static
  // layer does not follow. So there is something in each place from the start.
  void clear();
  // Values are those of this side, where the launch is not one of columns.
  void take_values_of(const GradientSide& side);

  // The chunk's tokens are `first` .. `first` + `count` - 1.
  void begin(ir::Ex first, ir::Ex count);
  // What is new at a distance begins to come in, the nearest distance first.
  void bring(ir::Ex distance);

  // Its element type where rows are shared out among lanes.
  ElementType shared_type() const;
  // Where the row of a token lies that was found at the distance at hand. `anything`: there may be
  // no such row, and whatever has its place is good enough.
  ir::MemoryId keys() const { return keys_->staged; }
  ir::MemoryId values() const { return values_->staged; }
  ir::Ex key_at(ir::Ex token, bool anything);
  ir::Ex value_at(ir::Ex token, bool anything);
  // Of the row of a reader: what it weighs its entries by.
  struct Reader {
    GradientRows::Statistic of;
    ir::Ex mean;
  };
  Reader reader(ir::Ex token);

 private:
  struct Rows {
    ir::MemoryId from;    // by token
    ir::MemoryId staged;  // shared
    std::int64_t at = 0;
    int element = 4;  // bytes
  };
  bool columns() const { return use_ == WindowUse::kColumns; }
  void bring_rows(ir::Ex from, ir::Ex to);
  void start_rows(const Rows& rows, ir::Ex from, ir::Ex count);
  void bring_statistics(ir::Ex from, ir::Ex count);
  RowVectors cut_of(const Rows& rows) const;
  ir::Ex slot_at(const Rows& rows, ir::Ex token, bool anything);

  GradientFrame& frame_;
  ir::Builder& builder_;
  WindowUse use_;
  ir::MemoryId lambda_;
  int lambda_bytes_;
  int size_;
  std::optional<Rows> keys_, values_;
  ir::MemoryId highest_of_, inverse_of_, mean_of_;  // by slot
  ir::Ex first_, count_;
  ir::Var reached_;  // of the rows on this side of it all that may be needed again are there
};

}  // namespace heddle::schedule
