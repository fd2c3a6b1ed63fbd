// SPDX-License-Identifier: Apache-2.0
// The rows of a chunk: which lanes have them, and what these keep of them in registers. A warp has
// several, side by side where groups of its lanes can have one each, and in turn. Groups without
// the entry at hand come along to sums, and leave nothing.
#pragma once

#include <functional>
#include <optional>

#include "codegen/schedule/gradient_rows.hpp"

namespace heddle::schedule {

class WindowRows {
 public:
  WindowRows(GradientFrame& frame, int warps)
      : frame_(frame), builder_(frame.builder), rows_(frame), warps_(warps) {}

  // From here on so many lanes share a row, with vectors of such elements.
  void share(int sharing, ElementType element);
  // The chunk's tokens are `first` .. `first` + `count` - 1.
  void begin(ir::Ex first, ir::Ex count);

  GradientRows& of_lanes() { return rows_; }
  bool in_groups() const { return of_warp_ > 1; }
  // Of this lane among those that share its row, and how many these are.
  ir::Ex lane() const { return lane_; }
  int sharing() const;

  // body(turn, r) for each row of the chunk that this lane has a part of.
  using Body = std::function<void(ir::Ex, ir::Ex)>;
  void each_own(const Body& body);
  // The same for a body with sums, to which all groups of a warp come.
  void each_summed(const Body& body);
  void where_it_counts(const std::function<void()>& body);
  // `body` has the entry's sums, and leaves what it comes to where there is such an entry.
  void where_held(ir::Ex held, const std::function<void()>& body);
  void leave(const std::function<void()>& body);

  // Numbers, or whole rows, of each turn.
  ir::MemoryId kept(const char* name, ir::Ex value, int each = 1);
  ir::MemoryId kept_rows(const char* name) { return kept(name, builder_.f32(0), parts_); }
  void keep(ir::MemoryId rows, ir::Ex turn, ir::MemoryId from, ir::Ex at);
  ir::MemoryId of_turn(const char* name, ir::MemoryId rows, ir::Ex turn);
  void add(ir::MemoryId rows, ir::Ex turn, ir::Ex factor, ir::MemoryId values);
  void write(ir::MemoryId to, ir::MemoryId rows, ir::Ex turn, ir::Ex r);
  // What this lane's row has in global memory; zeros of a row that there is not.
  ir::MemoryId row_in_memory(const char* name, ir::MemoryId memory, ir::Ex at);

 private:
  ir::Ex own_row(ir::Ex turn) const;
  void each_turn(const std::function<void(ir::Ex)>& body);

  GradientFrame& frame_;
  ir::Builder& builder_;
  GradientRows rows_;
  int warps_;        // of a block
  int of_warp_ = 1;  // rows that a warp has side by side,
  int turns_ = 0;    // how many times as many it has of the chunk,
  int parts_ = 0;    // and how many channels of each a lane has
  ir::Ex group_, lane_;
  ir::Ex first_, count_;
  // Where groups come along to sums: whether there is the row, and whether it has the entry.
  std::optional<ir::Ex> counts_, held_;
};

}  // namespace heddle::schedule
