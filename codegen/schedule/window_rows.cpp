// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/window_rows.hpp"

#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;

void WindowRows::share(int sharing, ElementType element) {
  of_warp_ = RowLanes::kWarp / sharing;
  turns_ = frame_.spec.gather->chunk_tokens / (warps_ * of_warp_);
  group_ = builder_.i64(0);
  if (in_groups()) {
    group_ = builder_.let("group", frame_.lane / sharing);
    lane_ = builder_.let("lane_of_row", frame_.lane % sharing);
    rows_.share(RowLanes(builder_, lane_, frame_.spec.head_dim, sharing, element));
  } else {
    lane_ = frame_.lane;
  }
  parts_ = rows_.owned();
}

void WindowRows::begin(Ex first, Ex count) {
  first_ = first;
  count_ = count;
}

int WindowRows::sharing() const { return RowLanes::kWarp / of_warp_; }

// ---- which rows ---------------------------------------------------------------------------------

void WindowRows::each_turn(const std::function<void(Ex)>& body) {
  builder_.loop("turn", builder_.i64(0), builder_.i64(turns_), builder_.i64(1), LoopKind::kUnrolled,
                body);
}
Ex WindowRows::own_row(Ex turn) const {
  return frame_.warp * of_warp_ + group_ + turn * (warps_ * of_warp_);
}

void WindowRows::each_own(const Body& body) {
  each_turn([&](Ex turn) {
    const Ex r = builder_.let("r", own_row(turn));
    builder_.when(r < count_, [&] { body(turn, r); });
  });
}

void WindowRows::each_summed(const Body& body) {
  if (!in_groups()) return each_own(body);
  each_turn([&](Ex turn) {
    const Ex r = builder_.let("r", own_row(turn));
    counts_ = builder_.let("counts", r < count_);
    held_ = counts_;
    body(turn, r);
    counts_.reset();
    held_.reset();
  });
}

void WindowRows::where_it_counts(const std::function<void()>& body) {
  counts_ ? builder_.when(*counts_, body) : body();
}

void WindowRows::where_held(Ex held, const std::function<void()>& body) {
  if (!in_groups()) return builder_.when(held, body);
  held_ = builder_.let("held", both(*counts_, held));
  body();
  held_ = counts_;
}

void WindowRows::leave(const std::function<void()>& body) {
  held_ ? builder_.when(*held_, body) : body();
}

// ---- what is kept of them -----------------------------------------------------------------------

MemoryId WindowRows::kept(const char* name, Ex value, int each) {
  const MemoryId made = builder_.array(name, Type::kF32, turns_ * each);
  builder_.loop("part", builder_.i64(0), builder_.i64(turns_ * each), builder_.i64(1),
                LoopKind::kUnrolled, [&](Ex part) { builder_.store(made, part, value); });
  return made;
}

void WindowRows::keep(MemoryId rows, Ex turn, MemoryId from, Ex at) {
  rows_.each_value("row", from, at,
                   [&](Ex value, Ex index) { builder_.store(rows, turn * parts_ + index, value); });
}

MemoryId WindowRows::of_turn(const char* name, MemoryId rows, Ex turn) {
  const MemoryId made = builder_.array(name, Type::kF32, parts_);
  rows_.each_channel([&](Ex, Ex index) {
    builder_.store(made, index, builder_.load(rows, turn * parts_ + index));
  });
  return made;
}

void WindowRows::add(MemoryId rows, Ex turn, Ex factor, MemoryId values) {
  rows_.each_channel([&](Ex, Ex index) {
    const Ex at = turn * parts_ + index;
    builder_.store(rows, at, builder_.load(rows, at) + factor * builder_.load(values, index));
  });
}

void WindowRows::write(MemoryId to, MemoryId rows, Ex turn, Ex r) {
  const Ex at = builder_.let("at", frame_.token_at(first_ + r));
  rows_.write(to, at, of_turn("row", rows, turn));
}

MemoryId WindowRows::row_in_memory(const char* name, MemoryId memory, Ex at) {
  if (!held_) return rows_.row_of(name, memory, at);
  const MemoryId made = rows_.zeros(name);
  leave([&] { rows_.load(made, memory, at); });
  return made;
}

}  // namespace heddle::schedule
