// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/live_list.hpp"

#include "codegen/rows/emit_row.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::Type;
using ir::Var;

namespace {

// Places in counts_.
constexpr int kFree = 2;
constexpr int kAdded = 3;

}  // namespace

LiveList::LiveList(Frame& frame, const SideFrame& side, int most, Ex rows)
    : frame_(frame), builder_(frame.builder), side_(side), most_(most), rows_(rows) {
  held_ = builder_.array("held", Type::kI64, 2 * most, true);
  row_ = builder_.array("held_in", Type::kI64, 2 * most, true);
  free_ = builder_.array("free_rows", Type::kI64, most, true);
  counts_ = builder_.array("counts", Type::kI64, 4, true);
  parity_ = builder_.variable("parity", builder_.i64(0));
}

// A free row, or -1.
Var LiveList::take_free(Var free) const {
  const Var row = builder_.variable("row", builder_.i64(-1));
  builder_.when(Ex(free) > 0, [&] {
    builder_.assign(free, Ex(free) - 1);
    builder_.assign(row, builder_.load(free_, free));
  });
  return row;
}

void LiveList::open() {
  builder_.when(equal(frame_.thread, builder_.i64(0)), [&] {
    builder_.loop("slot", builder_.i64(0), rows_,
                  [&](Ex slot) { builder_.store(free_, slot, rows_ - 1 - slot); });
    const Var free = builder_.variable("free", rows_);
    const Var used = builder_.variable("used", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, frame_.start + 1, [&](Ex p) {
      builder_.when(Ex(used) < most_, [&] {
        builder_.store(held_, used, p);
        builder_.store(row_, used, take_free(free));
        builder_.assign(used, Ex(used) + 1);
      });
    });
    builder_.store(counts_, builder_.i64(0), used);
    builder_.store(counts_, builder_.i64(kFree), free);
  });
}

void LiveList::advance(Ex final_to, Ex last) {
  builder_.when(equal(frame_.thread, builder_.i64(0)), [&] {
    const Ex count = builder_.let("count", builder_.load(counts_, parity_));
    const Var free = builder_.variable("free", builder_.load(counts_, builder_.i64(kFree)));
    const Var used = builder_.variable("used", builder_.i64(0));
    const Var added = builder_.variable("added", builder_.i64(0));
    const Var old = builder_.variable("old", builder_.i64(0));
    const auto leave = [&] {
      const Ex row = builder_.let("left", builder_.load(row_, at(old)));
      builder_.when(row >= 0, [&] {
        builder_.store(free_, free, row);
        builder_.assign(free, Ex(free) + 1);
      });
      builder_.assign(old, Ex(old) + 1);
    };
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, last + 1, [&](Ex p) {
      builder_.when(
          p > final_to,
          [&] {
            builder_.when(Ex(used) < most_, [&] {
              builder_.store(held_, at_next(used), p);
              builder_.assign(used, Ex(used) + 1);
              builder_.assign(added, used);
            });
          },
          [&] {
            builder_.repeat_while(both(Ex(old) < count, builder_.load(held_, at(old)) > p), leave);
            builder_.when(both(Ex(old) < count, Ex(used) < most_), [&] {
              builder_.when(equal(builder_.load(held_, at(old)), p), [&] {
                builder_.store(held_, at_next(used), p);
                builder_.store(row_, at_next(used), builder_.load(row_, at(old)));
                builder_.assign(used, Ex(used) + 1);
                builder_.assign(old, Ex(old) + 1);
              });
            });
          });
    });
    builder_.repeat_while(Ex(old) < count, leave);
    builder_.loop("fresh", builder_.i64(0), added,
                  [&](Ex fresh) { builder_.store(row_, at_next(fresh), take_free(free)); });
    builder_.store(counts_, builder_.i64(1) - parity_, used);
    builder_.store(counts_, builder_.i64(kFree), free);
    builder_.store(counts_, builder_.i64(kAdded), added);
  });
}

void LiveList::swap() { builder_.assign(parity_, builder_.i64(1) - parity_); }

void LiveList::each(Ex list, Ex count, const std::function<void(Ex, Ex)>& body) {
  builder_.loop("entry", frame_.warp, count, builder_.i64(frame_.warps), LoopKind::kSerial,
                [&](Ex entry) {
                  const Ex p = builder_.let("p", builder_.load(held_, list + entry));
                  const Ex row = builder_.let("row", builder_.load(row_, list + entry));
                  builder_.when(row >= 0, [&] { body(p, row); });
                });
}

void LiveList::each_opened(const std::function<void(Ex, Ex)>& body) {
  each(at(builder_.i64(0)), builder_.load(counts_, builder_.i64(0)), body);
}

void LiveList::each_added(const std::function<void(Ex, Ex)>& body) {
  each(at_next(builder_.i64(0)), builder_.load(counts_, builder_.i64(kAdded)), body);
}

void LiveList::begin_row() { cursor_ = builder_.variable("cursor", builder_.i64(0)); }

Ex LiveList::find(Ex p) {
  const Ex count = builder_.load(counts_, parity_);
  builder_.repeat_while(both(Ex(cursor_) < count, builder_.load(held_, at(cursor_)) > p),
                        [&] { builder_.assign(cursor_, Ex(cursor_) + 1); });
  const Var row = builder_.variable("row", builder_.i64(-1));
  builder_.when(Ex(cursor_) < count, [&] {
    builder_.when(equal(builder_.load(held_, at(cursor_)), p),
                  [&] { builder_.assign(row, builder_.load(row_, at(cursor_))); });
  });
  return row;
}

}  // namespace heddle::schedule
