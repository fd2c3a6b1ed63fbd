// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/cpu_rows.hpp"

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/coefficients.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::MemoryId;
using ir::Operand;
using ir::Procedure;
using ir::Type;
using ir::Var;
using rows::RowShape;

CpuRows::CpuRows(Builder& the_builder, const KernelSpec& spec)
    : builder(the_builder),
      frame(the_builder, spec, /*decode=*/false),
      channels(spec.head_dim / spec.slices),
      width(ir::padded_channels(channels)),
      lists(the_builder, spec.pattern) {}

bool CpuRows::by_runs() const {
  return frame.softmax() && !frame.spec.long_rows &&
         rows::shape_of(*frame.a.plan) == RowShape::kItself &&
         rows::shape_of(*frame.b.plan) == RowShape::kShifted;
}

// ---- once per launch ------------------------------------------------------------------------

void CpuRows::prepare(SideRows& side) {
  side.frame = &side == &a ? &frame.a : &frame.b;
  const rows::RowPlan& plan = *side.frame->plan;
  const std::string letter = side.letter();
  side.shape = rows::shape_of(plan);
  const bool live_slots =
      side.frame->side == Side::kB && side.frame->keep == CacheRetention::kNextRow;
  if (side.shape == RowShape::kLattice && !live_slots) side.shape = RowShape::kWalked;
  switch (side.shape) {
    case RowShape::kEmpty:
      return;
    case RowShape::kItself:
      if (!frame.softmax() || by_runs()) return;
      return lists.list_itself(side);
    case RowShape::kLattice:
      return prepare_lattice(side);
    case RowShape::kShifted:
      if (by_short_rows()) return prepare_ring(side, plan);
      if (by_runs()) return prepare_rings_of_runs(side, plan);
      lists.list_shifted(side, plan, length, letter);
      break;
    case RowShape::kWalked:
      side.steps = builder.reserve("steps_" + letter, Type::kI64, length);
      break;
  }
  side.values = builder.reserve(letter == "a" ? "inputs" : "outputs", Type::kF32, length * width);
}

// Those of the row after the last, too, where the final state holds its outputs.
void CpuRows::list_steps_for_ring(SideRows& side, const rows::RowPlan& plan) {
  const bool next_row = side.frame->keep == CacheRetention::kNextRow;
  lists.list_shifted(side, plan, next_row ? builder.let("row_after", length + 1) : length,
                     side.letter());
}

// Of a power of two of rows.
void CpuRows::prepare_ring(SideRows& side, const rows::RowPlan& plan) {
  list_steps_for_ring(side, plan);
  builder.comment("rows of the ring that outputs stand in: no step is longer");
  const Var ring = builder.variable("ring", builder.i64(1));
  builder.repeat_while(both(side.most > 0, ring + builder.load(side.steps, side.most - 1) < 0),
                       [&] { builder.assign(ring, Ex(ring) * 2); });
  side.ring = ring;
  side.values = builder.reserve("outputs", Type::kF32, *side.ring * width);
}

void CpuRows::prepare_rings_of_runs(SideRows& side, const rows::RowPlan& plan) {
  list_steps_for_ring(side, plan);
  builder.comment("rings that outputs and keys stand in");
  const Var longest = builder.variable("longest", builder.i64(0));
  builder.when(side.most > 0, [&] {
    builder.assign(longest, builder.i64(0) - builder.load(side.steps, side.most - 1));
  });
  side.ring = builder.invoke_let("ring", Type::kI64, "run_ring", {longest});
  const Ex rows = builder.invoke_let("ring_rows", Type::kI64, "run_ring_rows", {longest});
  side.values = builder.reserve("outputs", Type::kF32, rows * width);
  side.keys = builder.reserve("keys", Type::kF32, rows * width);
}

void CpuRows::prepare_lattice(SideRows& side) {
  builder.comment("the lattice, and slots for what is read of the outputs");
  lists.open_lattice(side, *side.frame->plan, builder.let("row_after", length + 1));
  side.values = builder.reserve("outputs", Type::kF32, side.room * width);
  if (frame.softmax()) {
    side.keys = builder.reserve("live_keys", Type::kF32, side.room * width);
  }
}

// ---- state ----------------------------------------------------------------------------------

void CpuRows::copy_in(SideRows& side, Ex row, Ex slot) {
  const Ex from = builder.let("from", frame.slot_at(*side.frame, slot));
  const auto keep = [&](MemoryId target, MemoryId source) {
    builder.perform(Procedure::kKeepRow, channels,
                    {builder.at(target, row * width), builder.at(source, from)});
    if (!by_runs()) return;
    builder.invoke("repeat_row<" + std::to_string(width) + ">",
                   {ir::VectorPlace{target, builder.i64(0), true}, *side.ring, row});
  };
  if (frame.softmax()) keep(side.keys, side.frame->before.key);
  keep(side.values, side.frame->before.val);
}
void CpuRows::copy_out(SideRows& side, Ex slot, Ex from) {
  const Ex to = builder.let("to", frame.slot_at(*side.frame, slot));
  const auto send = [&](MemoryId target, MemoryId source) {
    builder.perform(Procedure::kSendRow, channels,
                    {builder.at(target, to), builder.at(source, from), around.id()});
  };
  if (frame.softmax()) send(side.frame->after.key, side.keys);
  send(side.frame->after.val, side.values);
}
// What the ring no longer holds: from the state before, or from this launch's outputs and keys.
void CpuRows::copy_over(SideRows& side, Ex slot) {
  const SideFrame& kept = *side.frame;
  const Ex to = builder.let("to", frame.slot_at(kept, slot));
  const auto copy = [&](MemoryId keys, MemoryId values, Ex from) {
    const auto row = [&](MemoryId target, MemoryId source) {
      builder.invoke("copy_row<" + std::to_string(channels) + ">",
                     {ir::VectorPlace{target, to, true}, ir::VectorPlace{source, from}});
    };
    if (frame.softmax()) row(kept.after.key, keys);
    row(kept.after.val, values);
  };
  builder.when(
      slot < frame.start, [&] { copy(kept.before.key, kept.before.val, to); },
      [&] { copy(frame.k, frame.y, builder.let("from", frame.token_at(slot - frame.start))); });
}
void CpuRows::clear_out(SideRows& side, Ex slot) {
  const Ex to = builder.let("to", frame.slot_at(*side.frame, slot));
  const auto clear = [&](MemoryId target) {
    builder.perform(Procedure::kClearRow, channels, {builder.at(target, to)});
  };
  if (frame.softmax()) clear(side.frame->after.key);
  clear(side.frame->after.val);
}

void CpuRows::bring_state(SideRows& side) {
  if (!side.frame->cached()) return;
  if (side.shape == RowShape::kLattice) {
    builder.perform(Procedure::kLatticeStart, 0,
                    {builder.at(side.lattice), (frame.start + 1).id()});
    return builder.when(frame.start > 0, [&] {
      const Ex positions = lists.lattice_positions(side);
      builder.loop("e", builder.i64(0), lists.lattice_size(side), [&](Ex e) {
        const Ex p = builder.let("p", builder.load(side.lattice, positions + e));
        copy_in(side, e, frame.slot_of(*side.frame, side.frame->before, p).number);
      });
    });
  }
  if (side.frame->keep == CacheRetention::kAll) {
    const Ex first =
        side.ring ? builder.call(ir::Helper::kMaximum, {builder.i64(0), frame.start - *side.ring})
                  : builder.i64(0);
    return builder.loop("slot", first, frame.start,
                        [&](Ex slot) { copy_in(side, row_of(side, slot + 1), slot); });
  }
  builder.when(frame.start > 0, [&] {
    builder.loop("slot", builder.i64(0), side.frame->slots, [&](Ex slot) {
      const Ex p =
          builder.let("p", builder.load(side.frame->before.pos, side.frame->pos_base + slot));
      builder.when(both(p >= 1, p <= frame.start), [&] { copy_in(side, row_of(side, p), slot); });
    });
  });
}

void CpuRows::leave_state(SideRows& side) {
  const SideFrame& kept = *side.frame;
  if (!kept.cached()) return;
  if (kept.keep == CacheRetention::kAll) {
    builder.comment("final state: every position stays");
    const auto copy = [&](Ex slot) {
      side.ring ? copy_over(side, slot) : copy_out(side, slot, slot * width);
    };
    return builder.loop("slot", builder.i64(0), kept.slots, [&](Ex slot) {
      builder.when(
          slot < length, [&] { copy(slot); }, [&] { clear_out(side, slot); });
    });
  }
  builder.comment("final state: what the next row reads");
  const Var used = builder.variable("used", builder.i64(0));
  const auto keep = [&](Ex p, Ex from) {
    builder.when(used < kept.slots, [&] {
      copy_out(side, used, from);
      store_position(kept, used, p);
      builder.assign(used, Ex(used) + 1);
    });
  };
  if (side.shape == RowShape::kLattice) {
    const Ex slots = lists.lattice_slots(side), positions = lists.lattice_positions(side);
    builder.loop("e", builder.i64(0), lists.lattice_size(side), [&](Ex e) {
      const Ex slot = builder.let("slot", builder.load(side.lattice, slots + e));
      keep(builder.load(side.lattice, positions + e), slot * width);
    });
  } else {
    const Ex next_row = builder.let("next_row", length + 1);
    rows::emit_walk(builder, frame.spec.pattern, *kept.plan, next_row,
                    [&](Ex p) { builder.when(p <= length, [&] { keep(p, place(side, p)); }); });
  }
  builder.loop("slot", used, kept.slots, [&](Ex slot) {
    clear_out(side, slot);
    store_position(kept, slot, builder.i64(0));
  });
}
// Slices share positions; one of them writes.
void CpuRows::store_position(const SideFrame& kept, Ex slot, Ex p) {
  const auto store = [&] { builder.store(kept.after.pos, kept.pos_base + slot, p); };
  if (frame.spec.slices == 1) return store();
  builder.when(equal(frame.slice, builder.i64(0)), store);
}

// The coefficients of a token's row.
void CpuRows::find_weights(SideRows& side, Ex token) {
  if (side.shape == RowShape::kEmpty) return;
  side.weights = side.frame->coefficients;
  side.weights_at =
      builder.let("coef_at", coefficient_row(frame.spec, frame.row_at(token), side.frame->width));
}

void CpuRows::list_steps(SideRows& side, Ex i) {
  if (side.shape == RowShape::kShifted) {
    const Ex reaches = builder.load(side.steps, side.size) + i >= 1;
    return builder.repeat_while(both(side.size < side.most, reaches),
                                [&] { builder.assign(side.size, Ex(side.size) + 1); });
  }
  if (side.shape != RowShape::kWalked) return;
  lists.walk(side, *side.frame->plan, i, side.letter());
}

Operand CpuRows::steps_of(const SideRows& side) {
  const ir::VectorPlace steps = lists.steps_of(side);
  return builder.at(steps.memory, steps.at);
}

}  // namespace heddle::schedule
