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
constexpr int kCounts = 4;

}  // namespace

LiveList::LiveList(Frame& frame, const SideFrame& side, int most, Ex rows)
    : frame_(frame), builder_(frame.builder), side_(side), most_(most), rows_(rows) {
  held_ = builder_.array("held", Type::kI64, 2 * most, true);
  row_ = builder_.array("held_in", Type::kI64, 2 * most, true);
  free_ = builder_.array("free_rows", Type::kI64, most, true);
  taken_for_ = builder_.array("taken_for", Type::kI64, most, true);
  holds_ = builder_.array("holds", Type::kI64, most, true);
  counts_ = builder_.array("counts", Type::kI64, kCounts, true);
  parity_ = builder_.variable("parity", builder_.i64(0));
}

// A free row, or -1.
Var LiveList::take_free(Var free, Ex entry) const {
  const Var row = builder_.variable("row", builder_.i64(-1));
  builder_.when(Ex(free) > 0, [&] {
    builder_.assign(free, Ex(free) - 1);
    builder_.assign(row, builder_.load(free_, free));
    builder_.store(taken_for_, row, entry);
  });
  return row;
}

// All rows are free and hold nothing.
void LiveList::clear() {
  builder_.loop("slot", frame_.thread, rows_, builder_.i64(32 * frame_.warps), LoopKind::kSerial,
                [&](Ex slot) {
                  builder_.store(free_, slot, rows_ - 1 - slot);
                  builder_.store(taken_for_, slot, builder_.i64(0));
                  builder_.store(holds_, slot, builder_.i64(0));
                  for (const std::int64_t list : {std::int64_t{0}, most_}) {
                    builder_.store(held_, slot + list, builder_.i64(0));
                    builder_.store(row_, slot + list, builder_.i64(-1));
                  }
                });
  builder_.when(frame_.thread < kCounts,
                [&] { builder_.store(counts_, frame_.thread, builder_.i64(0)); });
}

void LiveList::open() {
  clear();
  builder_.barrier();
  builder_.when(equal(frame_.thread, builder_.i64(0)), [&] {
    const Var free = builder_.variable("free", rows_);
    const Var used = builder_.variable("used", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, frame_.start + 1, [&](Ex p) {
      builder_.when(Ex(used) < rows_, [&] {
        builder_.store(held_, used, p);
        builder_.store(row_, used, take_free(free, used));
        builder_.assign(used, Ex(used) + 1);
      });
    });
    builder_.store(counts_, builder_.i64(0), used);
    builder_.store(counts_, builder_.i64(kFree), free);
  });
}

void LiveList::advance(Ex final_to, const std::function<void(const Visit&)>& walk) {
  builder_.when(equal(frame_.thread, builder_.i64(32 * (frame_.warps - 1))), [&] {
    const Ex count = builder_.let("count", builder_.load(counts_, parity_));
    const Var free = builder_.variable("free", builder_.load(counts_, builder_.i64(kFree)));
    const Var used = builder_.variable("used", builder_.i64(0));
    const Var added = builder_.variable("added", builder_.i64(0));
    const Var old = builder_.variable("old", builder_.i64(0));
    const auto leave = [&] {
      const Ex row = builder_.let("left", builder_.load(row_, at(old)));
      builder_.when(both(row >= 0, Ex(free) < rows_), [&] {
        builder_.store(free_, free, row);
        builder_.assign(free, Ex(free) + 1);
      });
      builder_.assign(old, Ex(old) + 1);
    };
    walk([&](Ex p) {
      builder_.when(
          p > final_to,
          [&] {
            builder_.when(Ex(used) < rows_, [&] {
              builder_.store(held_, at_next(used), p);
              builder_.assign(used, Ex(used) + 1);
              builder_.assign(added, used);
            });
          },
          [&] {
            builder_.repeat_while(both(Ex(old) < count, builder_.load(held_, at(old)) > p), leave);
            builder_.when(both(Ex(old) < count, Ex(used) < rows_), [&] {
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
                  [&](Ex fresh) { builder_.store(row_, at_next(fresh), take_free(free, fresh)); });
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
                  builder_.when(both(row >= 0, equal(builder_.load(taken_for_, row), entry)),
                                [&] { body(p, row); });
                });
}

void LiveList::each_opened(const std::function<void(Ex, Ex)>& body) {
  each(at(builder_.i64(0)), builder_.let("opened", builder_.load(counts_, builder_.i64(0))), body);
}

void LiveList::each_added(const std::function<void(Ex, Ex)>& body) {
  each(at_next(builder_.i64(0)),
       builder_.let("added_now", builder_.load(counts_, builder_.i64(kAdded))), body);
}

void LiveList::note(Ex p, Ex row) {
  builder_.when(equal(frame_.lane, builder_.i64(0)), [&] { builder_.store(holds_, row, p); });
}

void LiveList::begin_chunk() { count_ = builder_.let("listed", builder_.load(counts_, parity_)); }

void LiveList::begin_row() {
  begin_chunk();
  cursor_ = builder_.variable("cursor", builder_.i64(0));
}

Ex LiveList::find(Ex p) {
  builder_.repeat_while(both(Ex(cursor_) < count_, builder_.load(held_, at(cursor_)) > p),
                        [&] { builder_.assign(cursor_, Ex(cursor_) + 1); });
  const Var row = builder_.variable("row", builder_.i64(-1));
  builder_.when(Ex(cursor_) < count_, [&] {
    const Ex candidate = builder_.let("candidate", builder_.load(row_, at(cursor_)));
    builder_.when(both(candidate >= 0, equal(builder_.load(holds_, candidate), p)),
                  [&] { builder_.assign(row, candidate); });
  });
  return row;
}

// By halves of what is left, the first of them the largest power of two that a list may have.
Ex LiveList::candidate_for(Ex p) {
  const Var entries = builder_.variable("entries", builder_.i64(0));  // that are not below p
  std::int64_t half = 1;
  while (2 * half <= most_) half *= 2;
  for (; half > 0; half /= 2) {
    const Ex next = Ex(entries) + half;
    builder_.when(both(next <= count_, builder_.load(held_, at(next - 1)) >= p),
                  [&] { builder_.assign(entries, next); });
  }
  const Var candidate = builder_.variable("candidate", builder_.i64(-1));
  builder_.when(Ex(entries) > 0,
                [&] { builder_.assign(candidate, builder_.load(row_, at(Ex(entries) - 1))); });
  return candidate;
}

Ex LiveList::checked(Ex candidate, Ex p) {
  const Var row = builder_.variable("row", builder_.i64(-1));
  builder_.when(
      both(both(candidate >= 0, candidate < rows_), equal(builder_.load(holds_, candidate), p)),
      [&] { builder_.assign(row, candidate); });
  return row;
}

}  // namespace heddle::schedule
