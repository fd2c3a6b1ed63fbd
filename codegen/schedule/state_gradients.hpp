// SPDX-License-Identifier: Apache-2.0
// The state that a backward launch goes on from and the one that it leaves: what a prefill of the
// same tokens took as initial and gave as final. The gradients of the final one come in, those of
// the initial one go out, both in f32, so that a chain of launches rounds no more than one does.
#pragma once

#include <functional>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

// One side's slots. Positions are there for kNextRow, keys for softmax.
struct StateGradients {
  CacheRetention keep = CacheRetention::kNone;
  ir::MemoryId pos, key, val;               // initial_
  ir::MemoryId final_pos;                   // which position each slot of the final state holds
  ir::MemoryId dfinal_key, dfinal_val;      // read
  ir::MemoryId dinitial_key, dinitial_val;  // written
  ir::Ex slots;
  ir::Ex slot_base;  // of this (batch, head), in elements of keys and values
  ir::Ex pos_base;

  bool cached() const { return keep != CacheRetention::kNone; }
};

// Declares the buffers of a side, where spec.state_gradients says so and the side keeps anything.
StateGradients declare_state_gradients(ir::Builder& builder, const KernelSpec& spec, Side side);

// body(slot, position) for each slot that stands for one of positions 1 .. last, before the launch
// or after it, and free(slot) for the others: whatever the arrays hold, nothing else is a position.
enum class HeldWhen { kBefore, kAfter };
void each_held(ir::Builder& builder, const StateGradients& state, HeldWhen when, ir::Ex last,
               const std::function<void(ir::Ex slot, ir::Ex p)>& held,
               const std::function<void(ir::Ex slot)>& free = {});

}  // namespace heddle::schedule
