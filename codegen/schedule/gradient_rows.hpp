// SPDX-License-Identifier: Apache-2.0
// What warps do with rows in backward on cuda: a row lies across the lanes of a warp, or of a group
// of them, which have all its channels, as vectors in registers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "codegen/schedule/gradient_frame.hpp"
#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {

class GradientRows {
 public:
  explicit GradientRows(GradientFrame& frame) : frame_(frame), builder_(frame.builder) {}

  // From here on groups of lanes have a row each, and all of a warp come to every sum, or each goes
  // its own way.
  void share(const RowLanes& lanes, bool together = true) {
    shared_.emplace(lanes);
    together_ = together;
  }
  // Channels of a lane.
  int owned() const { return lanes().owned(); }
  // body(channel, index) for the channels of this lane; `index` counts in a vector.
  void each_channel(const std::function<void(ir::Ex, ir::Ex)>& body);
  ir::MemoryId array(const std::string& name) const { return lanes().array(name); }
  ir::MemoryId vector(const std::string& name, const std::function<ir::Ex(ir::Ex)>& value);
  // What lies in `memory` from element `at` on.
  ir::MemoryId row_of(const std::string& name, ir::MemoryId memory, ir::Ex at);
  void each_value(const std::string& name, ir::MemoryId memory, ir::Ex at,
                  const std::function<void(ir::Ex, ir::Ex)>& body) {
    lanes().each_value(name, memory, at, body);
  }
  void load(ir::MemoryId vector, ir::MemoryId memory, ir::Ex at) {
    lanes().load(vector, memory, at);
  }
  // The same of a row in two halves, see RowLanes.
  ir::MemoryId row_in_halves(const std::string& name, ir::MemoryId memory, ir::Ex at,
                             std::int64_t behind);
  ir::MemoryId zeros(const std::string& name);
  // In every lane that has the row.
  ir::Ex dot(const std::string& name, ir::MemoryId one, ir::MemoryId other);
  void add(ir::MemoryId sums, ir::Ex factor, ir::MemoryId values);
  void write(ir::MemoryId to, ir::Ex at, ir::MemoryId values);
  void on_first_lane(const std::function<void()>& body);
  void each_side(const std::function<void(const GradientSide&)>& body);

  // Softmax: a row's highest score and one over the sum of its weights, and what the weight of an
  // entry is by them.
  struct Statistic {
    ir::Ex highest, inverse;
  };
  Statistic statistic(ir::Ex at);
  ir::Ex score_of(ir::MemoryId query, ir::MemoryId key);
  ir::Ex weight_of(const GradientSide& side, const Statistic& of, ir::Ex score);
  ir::Ex weight_of(const GradientSide& side, const Statistic& of, ir::MemoryId query,
                   ir::MemoryId key) {
    return weight_of(side, of, score_of(query, key));
  }

  // Where key and value lie of a position that a row of this side reads: among the launch's tokens,
  // or in a slot of the initial state.
  struct Spot {
    ir::MemoryId key, value;
    ir::Ex at;  // of channel 0
  };
  Spot locate(const GradientSide& side, ir::Ex p);
  // `body` of the position that a slot of the initial state holds, if it holds one.
  void when_held_before(const StateGradients& state, ir::Ex slot,
                        const std::function<void(ir::Ex)>& body);
  struct Handed {
    ir::MemoryId gradients, sums;
  };
  // What the gradients of the final state are of position p, where it holds that, joins sums.
  void add_handed(const GradientSide& side, ir::Ex p, const std::vector<Handed>& all);

 private:
  RowLanes lanes() const;
  // One more than the slot of a state that holds position p, 0 where none does.
  ir::Ex found(const StateGradients& state, ir::MemoryId positions, ir::Ex p);

  GradientFrame& frame_;
  ir::Builder& builder_;
  std::optional<RowLanes> shared_;
  bool together_ = true;
};

}  // namespace heddle::schedule
