// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/cache.hpp"

#include "codegen/rows/emit_row.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::Type;
using ir::Var;

namespace {

void copy(Frame& frame, const SideFrame& side, const Location& from, Ex slot) {
  Builder& builder = frame.builder;
  const Ex to = builder.let("to", frame.slot_at(side, slot));
  frame.each_channel([&](Ex d, Ex) {
    if (frame.softmax()) {
      builder.store(side.after.key, to + d, frame.load(from, from.key, d));
    }
    builder.store(side.after.val, to + d, frame.load(from, from.value, d));
  });
}

void clear(Frame& frame, const SideFrame& side, Ex slot) {
  Builder& builder = frame.builder;
  const Ex to = builder.let("to", frame.slot_at(side, slot));
  frame.each_channel([&](Ex d, Ex) {
    if (frame.softmax()) builder.store(side.after.key, to + d, builder.f32(0));
    builder.store(side.after.val, to + d, builder.f32(0));
  });
}

void store_position(Frame& frame, const SideFrame& side, Ex slot, Ex p) {
  const auto store = [&] { frame.builder.store(side.after.pos, side.pos_base + slot, p); };
  if (!frame.cuda()) return store();
  frame.builder.when(equal(frame.lane, frame.builder.i64(0)), store);
}

void each_slot(Frame& frame, const SideFrame& side, Ex first, const std::function<void(Ex)>& body) {
  Builder& builder = frame.builder;
  builder.loop("slot", frame.cuda() ? first + frame.warp : first, side.slots,
               builder.i64(frame.cuda() ? frame.warps : 1), LoopKind::kSerial, body);
}

// Those of all chunks, by warps.
void each_slot_of_chunk(Frame& frame, const SideFrame& side, const std::function<void(Ex)>& body) {
  Builder& builder = frame.builder;
  const Ex turns = builder.call(Helper::kCeilDivide, {side.slots, builder.i64(frame.warps)});
  builder.loop("turn", frame.chunk, turns, *frame.chunks, LoopKind::kSerial, [&](Ex turn) {
    const Ex slot = builder.let("slot", turn * frame.warps + frame.warp);
    builder.when(slot < side.slots, [&] { body(slot); });
  });
}

void write_all(Frame& frame, const SideFrame& side, bool chunks_share) {
  Builder& builder = frame.builder;
  const auto keep = [&](Ex slot) {
    builder.when(
        slot < frame.start + frame.tokens,
        [&] { copy(frame, side, frame.locate(side, builder.let("p", slot + 1)), slot); },
        [&] { clear(frame, side, slot); });
  };
  if (chunks_share) return each_slot_of_chunk(frame, side, keep);
  each_slot(frame, side, builder.i64(0), keep);
}

void write_next_row(Frame& frame, const SideFrame& side) {
  Builder& builder = frame.builder;
  const Ex last = builder.let("last_token", frame.start + frame.tokens);
  const Ex next_row = builder.let("next_row", last + 1);
  const Var used = builder.variable("used", builder.i64(0));
  rows::emit_walk(builder, frame.spec.pattern, *side.plan, next_row, [&](Ex p) {
    builder.when(both(p <= last, used < side.slots), [&] {
      const auto keep = [&] {
        copy(frame, side, frame.locate(side, p), used);
        store_position(frame, side, used, p);
      };
      if (frame.cuda()) {
        builder.when(equal(used % builder.i64(frame.warps), frame.warp), keep);
      } else {
        keep();
      }
      builder.assign(used, Ex(used) + 1);
    });
  });
  each_slot(frame, side, used, [&](Ex slot) {
    clear(frame, side, slot);
    store_position(frame, side, slot, builder.i64(0));
  });
}

}  // namespace

void write_final_cache(Frame& frame, const SideFrame& side, bool chunks_share) {
  if (side.keep == CacheRetention::kAll) write_all(frame, side, chunks_share);
  if (side.keep == CacheRetention::kNextRow) write_next_row(frame, side);
}

void write_final_state(Frame& frame, bool chunks_share) {
  for (const SideFrame* side : {&frame.a, &frame.b}) {
    if (!side->cached()) continue;
    frame.builder.comment(side->keep == CacheRetention::kAll
                              ? "final state: every position stays"
                              : "final state: what the next row reads");
    write_final_cache(frame, *side, chunks_share);
  }
}

NewSlotSearch::NewSlotSearch(Frame& frame, const SideFrame& side) : frame_(frame), side_(side) {
  if (side.keep == CacheRetention::kAll) return;
  Builder& builder = frame.builder;
  const std::string letter = side.side == Side::kA ? "a" : "b";
  if (frame.cuda()) rooms_ = builder.array("rooms_" + letter, Type::kI64, kWarps, true);
  const Ex next_row = builder.let("next_row", frame.start + 2);
  room_ = builder.variable("room_" + letter, builder.i64(0));
  builder.loop(
      "slot", frame.cuda() ? frame.thread : builder.i64(0), side.slots,
      builder.i64(frame.cuda() ? kThreads : 1), LoopKind::kSerial, [&](Ex slot) {
        const Ex held = builder.let("held", builder.load(side.before.pos, side.pos_base + slot));
        const Var keep = builder.variable("keep", builder.truth(false));
        builder.when(held > 0, [&] {
          builder.assign(
              keep, rows::emit_contains(builder, frame.spec.pattern, *side.plan, next_row, held));
        });
        builder.when(negated(keep), [&] {
          builder.store(side.after.pos, side.pos_base + slot, builder.i64(0));
          builder.assign(room_, builder.call(Helper::kMaximum, {room_, side.slots - slot}));
        });
      });
  if (!frame.cuda()) return;
  builder.assign(room_, builder.reduce(ir::ReduceOperator::kMaximum, room_));
  builder.when(equal(frame.lane, builder.i64(0)),
               [&] { builder.store(rooms_, frame.warp, room_); });
}

NewSlot NewSlotSearch::settle() {
  Builder& builder = frame_.builder;
  if (side_.keep == CacheRetention::kAll) return {frame_.start < side_.slots, frame_.start};
  const std::string letter = side_.side == Side::kA ? "a" : "b";
  if (frame_.cuda()) {
    builder.loop("other", builder.i64(0), builder.i64(kWarps), [&](Ex other) {
      builder.assign(room_, builder.call(Helper::kMaximum, {room_, builder.load(rooms_, other)}));
    });
  }
  const Ex token = builder.let("token", frame_.start + 1);
  const Ex next_row = builder.let("next_row", frame_.start + 2);
  const Ex wanted =
      rows::emit_contains_newest(builder, frame_.spec.pattern, *side_.plan, next_row, token);
  const Ex stored = builder.let("stored_" + letter, both(room_ > builder.i64(0), wanted));
  const Ex slot = builder.let("slot_" + letter, side_.slots - room_);
  const auto store = [&] { builder.store(side_.after.pos, side_.pos_base + slot, token); };
  builder.when(frame_.cuda() ? both(stored, equal(frame_.thread, builder.i64(0))) : stored, store);
  return {stored, slot};
}

}  // namespace heddle::schedule
