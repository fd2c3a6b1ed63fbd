// SPDX-License-Identifier: Apache-2.0
// What warps do with rows in backward on cuda: a row lies across the lanes of a warp, which has all
// its channels, as vectors in registers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

class GradientRows {
 public:
  explicit GradientRows(GradientFrame& frame) : frame_(frame), builder_(frame.builder) {}

  // body(channel, index) for the channels of this lane; `index` counts in a vector.
  void each_channel(const std::function<void(ir::Ex, ir::Ex)>& body);
  ir::MemoryId vector(const std::string& name, const std::function<ir::Ex(ir::Ex)>& value);
  // What lies in `memory` from element `at` on.
  ir::MemoryId row_of(const std::string& name, ir::MemoryId memory, ir::Ex at);
  ir::MemoryId zeros(const std::string& name);
  // In every lane of the warp.
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
  ir::Ex weight_of(const GradientSide& side, const Statistic& of, ir::MemoryId query,
                   ir::MemoryId key);

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
  // One more than the slot of a state that holds position p, 0 where none does.
  ir::Ex found(const StateGradients& state, ir::MemoryId positions, ir::Ex p);

  GradientFrame& frame_;
  ir::Builder& builder_;
};

}  // namespace heddle::schedule
