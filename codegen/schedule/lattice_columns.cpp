// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/lattice_columns.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::Type;
using ir::Var;

LatticeColumns::LatticeColumns(ir::Builder& builder, const KernelSpec& spec, Ex thread,
                               const Sizes& sizes)
    : builder_(builder),
      sizes_(sizes),
      thread_(thread),
      start_(builder.i64(0)),
      terms_(builder, spec, thread),
      items_(static_cast<std::size_t>((all_items() + sizes.listers - 1) / sizes.listers)) {
  const int listed = static_cast<int>(sizes.listed);
  held = builder_.array("held", Type::kI64, listed, true);
  last = builder_.array("last_reader", Type::kI64, listed, true);
  own_last = builder_.array("own_last_reader", Type::kI64, kTensorChunk, true);
  if (sizes.kept == 0) return;
  assert_that(sizes.kept <= sizes.listed, "kept columns are in the first list");
  led_to_ = builder_.array("led_to", Type::kI64, 2 * static_cast<int>(sizes.kept), true);
  source = builder_.array("source", Type::kI64, static_cast<int>(sizes.kept), true);
}

LatticeColumns::LatticeColumns(Frame& frame, const Sizes& sizes)
    : LatticeColumns(frame.builder, frame.spec, frame.thread, sizes) {
  frame_ = &frame;
  start_ = frame.start;
}

void LatticeColumns::open(Ex last_row) {
  terms_.open(builder_.let("last_row", last_row));
  const Ex terms = builder_.call(Helper::kMaximum, {terms_.count(), builder_.i64(1)});
  of_terms_ =
      builder_.let("of_terms", (terms + (sizes_.window - 1)) / sizes_.window * sizes_.window);
  all_ = of_terms_;
  if (!cached()) return;
  all_ = builder_.let("columns",
                      of_terms_ + builder_.select(start_ > 0, frame_->b.slots, builder_.i64(0)));
}

void LatticeColumns::list(Ex before, Ex listed) {
  const std::vector<Item> begun = items_;
  begin();
  each_item([&](Item& item, Ex number) {
    find(item, number, before, listed);
    for (std::int64_t half = LatticeTerms::kDifferent / 2; half > 0; half /= 2) {
      terms_.divide(item.position, item.dividing, builder_.i64(half));
    }
    note(item, number);
  });
  items_ = begun;
}

void LatticeColumns::list_first() {
  list(start_, builder_.i64(0));
  each_item([&](Item&, Ex number) {
    when_kept(number, [&](Ex column) {
      builder_.store(led_to_, column, builder_.i64(0));
      builder_.store(source, column, builder_.i64(-1));
    });
  });
}

void LatticeColumns::begin() {
  for (Item& item : items_) {
    item = {builder_.variable("position", builder_.i64(0)),
            builder_.variable("dividing", builder_.i64(0))};
  }
}

// The first of five steps of a division, and then one in each part.
void LatticeColumns::find(Ex before, Ex turn) {
  each_item([&](Item& item, Ex number) {
    std::optional<Var> led_to;
    if (sizes_.kept > 0) led_to = builder_.variable("leads_to", builder_.i64(0));
    find(item, number, before, builder_.i64(0), led_to);
    terms_.divide(item.position, item.dividing, builder_.i64(LatticeTerms::kDifferent / 2));
    when_kept(number, [&](Ex column) {
      builder_.store(led_to_, turn * sizes_.kept + column, *led_to);
      builder_.store(source, column, source_of(item.position, before, builder_.i64(1) - turn));
    });
  });
}

// Where the position lies behind those that kept columns have, in descending order, by halves of
// what is left.
Ex LatticeColumns::source_of(Ex p, Ex before, Ex turn_before) {
  const Var column = builder_.variable("column_before", builder_.i64(0));
  std::int64_t more = 1;
  while (2 * more < sizes_.kept) more *= 2;
  for (; more > 0; more /= 2) {
    const Ex next = builder_.let("next_column", column + more);
    builder_.when(next < sizes_.kept, [&] {
      const Ex there = builder_.load(led_to_, turn_before * sizes_.kept + (next - 1));
      builder_.when(p < there, [&] { builder_.assign(column, next); });
    });
  }
  const Ex of_chunk = builder_.let("row_of_chunk", p - before + (kTensorChunk - 1));
  const Ex held_before = builder_.select(of_chunk < 0, column, of_chunk + sizes_.kept);
  return builder_.select(p > 0, held_before, builder_.i64(-1));
}

void LatticeColumns::list_further(Ex part) {
  static_assert(LatticeTerms::kDifferent == 32, "what is divided by takes five steps");
  const auto is = [&](int which) { return equal(part, builder_.i64(which)); };
  const Ex one_of_last = builder_.select(is(2), builder_.i64(2), builder_.i64(1));
  const Ex half =
      builder_.let("half", builder_.select(is(0), builder_.i64(8),
                                           builder_.select(is(1), builder_.i64(4), one_of_last)));
  each_item([&](Item& item, Ex number) {
    terms_.divide(item.position, item.dividing, half);
    builder_.when(is(3), [&] { note(item, number); });
  });
}

// The chunk's own rows come first, then what is listed.
std::int64_t LatticeColumns::all_items() const { return kTensorChunk + sizes_.listed; }

void LatticeColumns::each_item(const std::function<void(Item&, Ex)>& body) {
  for (std::size_t turn = 0; turn < items_.size(); ++turn) {
    const std::int64_t before = static_cast<std::int64_t>(turn) * sizes_.listers;
    const Ex number = builder_.let("item", thread_ + before);
    const auto take = [&] { body(items_[turn], number); };
    before + sizes_.listers <= all_items() ? take() : builder_.when(number < all_items(), take);
  }
}

void LatticeColumns::find(Item& item, Ex number, Ex before, Ex listed, std::optional<Var> led_to) {
  builder_.when(
      number < kTensorChunk, [&] { builder_.assign(item.position, before + 1 + number); },
      [&] {
        const Ex entry = builder_.let("entry", number - kTensorChunk);
        const Ex column = builder_.let("column", listed + entry);
        const auto of_term = [&] {
          const Ex found = terms_.position(before + 1, column, entry, led_to);
          builder_.assign(item.position, builder_.select(found > start_, found, builder_.i64(0)));
        };
        if (!cached()) return of_term();
        builder_.when(column < of_terms_, of_term, [&] {
          builder_.when(column < all_, [&] {
            const Slot slot = slot_of(column);
            builder_.assign(item.position, builder_.select(slot.taken, slot.held, builder_.i64(0)));
          });
        });
      });
}

LatticeColumns::Slot LatticeColumns::slot_of(Ex column) {
  const SideFrame& side = frame_->b;
  const Ex number = builder_.let("slot", column - of_terms_);
  const Ex near = builder_.let("near", builder_.call(Helper::kMinimum, {number, side.slots - 1}));
  const Ex position =
      builder_.let("held_by_slot", builder_.load(side.before.pos, side.pos_base + near));
  const Ex exists = number < side.slots;
  return {near, position, builder_.let("taken", both(exists, position > 0))};
}

// body(column), where the item is a kept one.
void LatticeColumns::when_kept(Ex number, const std::function<void(Ex)>& body) {
  if (sizes_.kept == 0) return;
  const Ex column = builder_.let("column", number - kTensorChunk);
  builder_.when(both(column >= 0, column < sizes_.kept), [&] { body(column); });
}

void LatticeColumns::note(const Item& item, Ex number) {
  const Ex p = item.position;
  const Ex reach = terms_.reach_by(item.dividing);
  const Ex reader = builder_.let("last", builder_.select(p > 0, p + reach, builder_.i64(0)));
  builder_.when(
      number < kTensorChunk, [&] { builder_.store(own_last, number, reader); },
      [&] {
        const Ex entry = number - kTensorChunk;
        builder_.store(held, entry, p);
        builder_.store(last, entry, reader);
      });
}

}  // namespace heddle::schedule
