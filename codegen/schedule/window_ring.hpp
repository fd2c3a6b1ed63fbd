// SPDX-License-Identifier: Apache-2.0
// What a chunk's rows find at one distance, in shared memory: one run of rows, queries or keys and
// values. It lies in a ring, in which rows that the last distance left behind make room for those
// that come. Where there is room for two runs, what the next distance adds comes in while those of
// the last one are summed: behind the run at hand, which keeps its place.
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
  // Two runs: what has come is the run at hand, that of `distance` from here on.
  void turn_to(ir::Ex distance);
  ir::Ex distance() const { return found_; }  // negative before the first

  // The element type of what lanes share.
  ElementType shared_type() const;
  ir::MemoryId keys() const { return keys_->staged; }
  ir::MemoryId values() const { return values_->staged; }
  // Reals beside narrower queries, which lanes have as vectors of twice as many: the first halves
  // of all of them lie before the second ones, side by side for neighbouring lanes.
  bool has_halves() const {
    return ahead() && few_lanes() && values_ && keys_->element < values_->element;
  }
  std::int64_t second_half() const { return values_->stride - frame_.spec.head_dim / 2; }
  // What row r of the chunk finds, which is that of a token. `anything`: there may be no such row,
  // and whatever has its place is good enough.
  struct Found {
    ir::Ex r, token;
    bool anything = false;
  };
  ir::Ex key_at(const Found& found);
  ir::Ex value_at(const Found& found);
  // Where it is a reader: what it weighs its entries by.
  struct Reader {
    GradientRows::Statistic of;
    ir::Ex mean;
  };
  Reader reader(const Found& found);

 private:
  struct Rows {
    ir::MemoryId from;    // by token
    ir::MemoryId staged;  // shared
    std::int64_t at = 0;
    int element = 4;  // bytes
    std::int64_t stride = 0;
  };
  bool few_lanes() const;
  bool columns() const { return use_ == WindowUse::kColumns; }
  bool ahead() const { return frame_.spec.gather->ahead; }
  bool has_statistics() const { return columns() && frame_.softmax(); }
  void bring_rows(ir::Ex from, ir::Ex to);
  void start_rows(const Rows& rows, ir::Ex from, ir::Ex count);
  void bring_statistics(ir::Ex from, ir::Ex count);
  void bring_next(ir::Ex distance);
  void start_next(const Rows& rows, ir::Ex piece, ir::Ex at, ir::Ex slot);
  void start_statistics(ir::Ex token, ir::Ex slot);
  bool in_halves(const Rows& rows) const;
  ir::Ex place_of(const Rows& rows, ir::Ex slot, ir::Ex d);
  RowVectors cut_of(const Rows& rows) const;
  ir::Ex slot_of(const Found& found);

  GradientFrame& frame_;
  ir::Builder& builder_;
  WindowUse use_;
  ir::MemoryId lambda_;
  int lambda_bytes_;
  int threads_;
  int size_;  // rows of a run,
  int room_;  // and of the ring
  std::optional<Rows> keys_, values_;
  ir::MemoryId highest_of_, inverse_of_, mean_of_;  // by slot
  ir::Ex first_, count_;
  // One run: of the rows on this side of it all that may be needed again are there.
  ir::Var reached_;
  // Two runs: the distance of the one at hand, where its row for the chunk's first one lies, and
  // where that of the next run will.
  ir::Var found_, place_;
  ir::Ex next_place_;
};

}  // namespace heddle::schedule
