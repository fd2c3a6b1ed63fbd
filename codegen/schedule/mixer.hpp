// SPDX-License-Identifier: Apache-2.0
// The weighted sum of one row on cuda, entry by entry. Softmax weights come from a single pass: the
// highest score so far is subtracted, and what was summed before is rescaled when it rises. In the
// transposed system a row begins with its dy, and an entry is weighed as the row that reads it has
// weighed it.
#pragma once

#include "codegen/schedule/frame.hpp"
#include "codegen/schedule/row_coefficients.hpp"
#include "codegen/schedule/row_gates.hpp"

namespace heddle::schedule {

class Mixer {
 public:
  // `row` is the token number i >= 1, `token` its place in this launch.
  Mixer(Frame& frame, ir::Ex token);
  // A row of a group of lanes; keys and values are cut into vectors of their own.
  Mixer(Frame& frame, ir::Ex token, const RowLanes& keys, const RowLanes& values);
  // A row that was left half summed: its query and what was mixed so far in shared memory from
  // these places on, and for softmax the highest score and the sum of weights.
  struct Left {
    ir::MemoryId query;
    ir::Ex query_at;
    ir::MemoryId mixed;
    ir::Ex mixed_at;
    ir::Ex highest, total;
  };
  Mixer(Frame& frame, ir::Ex token, const RowLanes& keys, const RowLanes& values, const Left& left);

  // Takes the entry at position p. `near(p)` decides, where given, that the value is not final yet:
  // then the weight joins the sum of weights, and `take_near` gets the raw score or coefficient.
  struct Near {
    std::function<ir::Ex(ir::Ex)> is_near;     // where none is given, all of them are
    std::function<void(ir::Ex, ir::Ex)> take;  // (p, score or coefficient)
    // Of gated weights: (p, the entry's number, those of this lane's channels).
    std::function<void(ir::Ex, ir::Ex, ir::MemoryId)> take_gates = {};
  };
  void take(const SideFrame& side, ir::Ex p, const Near* near = nullptr);
  // The same where the schedule knows better than the frame where key and value lie: each calls
  // `use` with the memory and the index of channel 0, once for every branch it writes.
  using Use = std::function<void(ir::MemoryId, ir::Ex)>;
  struct Entry {
    std::function<void(const Use&)> key;  // softmax only
    std::function<void(const Use&)> value;
  };
  void take(const SideFrame& side, ir::Ex p, const Entry& entry, const Near* near = nullptr);
  // All groups of a warp take entries together. What follows is where an entry is `held`: a row
  // that does not have it comes along.
  void come_together() { together_ = true; }
  void take_where(ir::Ex held, const SideFrame& side, ir::Ex p, const Entry& entry,
                  const Near* near = nullptr);
  // Leaves an entry to another warp.
  void skip();
  // One lane of those that share the row asks for a coefficient and hands it to the others.
  void ask_once() { ask_once_ = true; }
  // All of them ask for those of this side, of which the row has `entries`: for some now, and for
  // others as these are taken, see RowCoefficients.
  void ask_ahead(const SideFrame& side, ir::Ex entries);
  // The same of gated weights, by way of so many rows of `staged` as RowGates has slots.
  void ask_ahead(const SideFrame& side, ir::Ex entries, ir::MemoryId staged, ir::Ex at);
  // The same where whoever finds entries asks, of the side that was begun: kAhead of RowGates, then
  // one before each entry that is taken; until it says that what follows is not asked ahead.
  void ask_as_found(const SideFrame& side, ir::MemoryId staged, ir::Ex at);
  void ask_first_gates(const SideFrame& side, int number, ir::Ex whether);
  void ask_gates(const SideFrame& side, ir::Ex number, ir::Ex whether);
  void ask_no_more() { gates_ahead_.reset(); }
  // The next entry to be taken is the one of this number.
  void set_entry(ir::Ex number) {
    if (!frame_.softmax()) builder_.assign(entry_, number);
  }
  // Given weights: whether the entry at hand has a column. It always has; what a list says does not
  // prove it.
  ir::Ex has_column(const SideFrame& side) const { return ir::Ex(entry_) < side.width; }
  // Counts entries of a row of coefficients; call between the sides.
  void begin_side(const SideFrame& side);

  // The weight of a near score, once the row is complete, not yet normalized.
  ir::Ex near_weight(ir::Ex score_or_coefficient);
  // What stands for a near entry that a row does not have, such that it weighs nothing.
  ir::Ex no_near() { return weighs_by_row() ? builder_.lowest_score() : builder_.f32(0); }
  // Closes the row: afterwards normalized(w) is w over the sum of weights, 0 for a row without
  // entries; coefficients stay as they are.
  void finish();
  ir::Ex normalized(ir::Ex value) const;
  // The channels of a finished row that this lane has; nothing is mixed behind it.
  ir::MemoryId row();
  // Leaves them from element `at` on.
  void write(ir::MemoryId to, ir::Ex at) { values_.store(to, at, row()); }

  ir::MemoryId mixed;  // private, the channels of this lane
  ir::Var highest;     // softmax only, and not transposed
  ir::Var total;       // likewise

 private:
  // Softmax, and the row is the one whose scores weights come from.
  bool weighs_by_row() const { return frame_.softmax() && !frame_.transposed(); }
  bool asks_ahead(const SideFrame& side) const {
    return (ahead_ || gates_ahead_) && side.side == ahead_side_;
  }
  ir::Ex columns(const SideFrame& side, ir::Ex entries);
  ir::MemoryId gates_of(const SideFrame& side, ir::Ex p, ir::Ex number);
  void declare();
  ir::Ex factor(const SideFrame& side);
  ir::Ex score(const Entry& entry);
  ir::Ex coefficient_of(const SideFrame& side, ir::Ex p);
  ir::Ex first_coefficient(const SideFrame& side);
  void mix_gated(const SideFrame& side, ir::Ex p, const Entry& entry, const Near* near);
  void mix_given(const SideFrame& side, ir::Ex p, const std::function<void(ir::Ex)>& mix);
  void where_held(const std::function<void()>& body);

  Frame& frame_;
  ir::Builder& builder_;
  RowLanes keys_, values_;
  ir::Ex token_;
  ir::MemoryId query_;
  ir::Var entry_;
  ir::Ex coefficient_base_;
  ir::Ex inverse_;
  std::optional<ir::Ex> held_;  // of the entry at hand
  bool ask_once_ = false;
  std::optional<RowCoefficients> ahead_;
  std::optional<RowGates> gates_ahead_;
  Side ahead_side_ = Side::kB;
  bool together_ = false;
};

}  // namespace heddle::schedule
