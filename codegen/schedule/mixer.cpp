// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/mixer.hpp"

#include "codegen/schedule/coefficients.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::MemoryId;
using ir::Var;

Mixer::Mixer(Frame& frame, Ex token) : Mixer(frame, token, frame.row_lanes(), frame.row_lanes()) {}

Mixer::Mixer(Frame& frame, Ex token, const RowLanes& keys, const RowLanes& values)
    : frame_(frame), builder_(frame.builder), keys_(keys), values_(values), token_(token) {
  declare();
  if (frame_.softmax()) {
    keys_.load(query_, frame_.q, builder_.let("query_at", frame_.token_at(token)));
  }
  if (frame_.transposed()) {
    values_.load(mixed, frame_.x, builder_.let("begins_at", frame_.token_at(token)));
  } else {
    values_.each_channel([&](Ex, Ex index) { builder_.store(mixed, index, builder_.f32(0)); });
  }
  if (!weighs_by_row()) return;
  highest = builder_.variable("highest", builder_.lowest_score());
  total = builder_.variable("total", builder_.f32(0));
}

Mixer::Mixer(Frame& frame, Ex token, const RowLanes& keys, const RowLanes& values, const Left& left)
    : frame_(frame), builder_(frame.builder), keys_(keys), values_(values), token_(token) {
  declare();
  if (frame_.softmax()) keys_.load(query_, left.query, left.query_at);
  values_.load(mixed, left.mixed, left.mixed_at);
  if (!weighs_by_row()) return;
  highest = builder_.variable("highest", left.highest);
  total = builder_.variable("total", left.total);
}

void Mixer::declare() {
  if (frame_.softmax()) query_ = keys_.array("query");
  mixed = values_.array("mixed");
}

void Mixer::begin_side(const SideFrame& side) {
  if (frame_.softmax()) return;
  if (frame_.transposed()) {
    entry_ = builder_.variable("entry", builder_.i64(0));
    return;
  }
  if (!asks_ahead(side)) coefficient_base_ = first_coefficient(side);
  entry_ = builder_.variable("entry", builder_.i64(0));
}

Ex Mixer::first_coefficient(const SideFrame& side) {
  const Ex row = frame_.row_at(token_);
  return builder_.let("coef_at", coefficient_row(frame_.spec, row, side.width));
}

void Mixer::ask_ahead(const SideFrame& side, Ex entries) {
  assert_that(!frame_.softmax() && !frame_.transposed(), "a row has no coefficients side by side");
  const Ex count = columns(side, entries);
  ahead_.emplace(builder_, values_, side.coefficients, first_coefficient(side), count);
  ahead_side_ = side.side;
}

void Mixer::ask_ahead(const SideFrame& side, Ex entries, MemoryId staged, Ex at) {
  assert_that(frame_.spec.by_channel(), "channels have coefficients of their own");
  const Ex count = columns(side, entries);
  gates_ahead_.emplace(builder_, values_, side.coefficients, first_coefficient(side), count, staged,
                       at);
  ahead_side_ = side.side;
}

void Mixer::ask_as_found(const SideFrame& side, MemoryId staged, Ex at) {
  gates_ahead_.emplace(builder_, values_, side.coefficients, coefficient_base_, staged, at);
  ahead_side_ = side.side;
}

void Mixer::ask_first_gates(const SideFrame& side, int number, Ex whether) {
  gates_ahead_->ask_first(number, both(whether, builder_.i64(number) < side.width));
}

void Mixer::ask_gates(const SideFrame& side, Ex number, Ex whether) {
  gates_ahead_->ask(number, both(whether, number < side.width));
}

// No row has more entries than columns, but that is not seen from the end of its walk.
Ex Mixer::columns(const SideFrame& side, Ex entries) {
  return builder_.let("count", builder_.call(Helper::kMinimum, {entries, side.width}));
}

Ex Mixer::score(const Entry& entry) {
  const Var product = builder_.variable("product", builder_.f32(0));
  where_held([&] {
    entry.key([&](MemoryId key, Ex at) {
      keys_.each_value("key", key, at, [&](Ex value, Ex index) {
        builder_.assign(product, Ex(product) + builder_.load(query_, index) * value);
      });
    });
  });
  const Ex score = builder_.let("score", frame_.scale * keys_.sum(product, together_));
  if (!held_ || !weighs_by_row()) return score;
  return builder_.let("own_score", builder_.select(*held_, score, builder_.lowest_score()));
}

Ex Mixer::factor(const SideFrame& side) {
  if (!frame_.gamma) return {};
  return side.side == Side::kB ? *frame_.gamma : builder_.f32(1) - *frame_.gamma;
}

void Mixer::take(const SideFrame& side, Ex p, const Near* near) {
  // Softmax needs the place for the score already; otherwise only an entry that is not near does.
  std::optional<Location> location;
  if (frame_.softmax()) location = frame_.locate(side, p);
  const Entry entry{[&](const Use& use) { use(location->key, location->at); },
                    [&](const Use& use) {
                      if (location) return use(location->value, location->at);
                      const Location found = frame_.locate(side, p);
                      frame_.where_held(found, [&] { use(found.value, found.at); });
                    }};
  if (!location) return take(side, p, entry, near);
  frame_.where_held(*location, [&] { take(side, p, entry, near); });
}

void Mixer::where_held(const std::function<void()>& body) {
  if (held_) return builder_.when(*held_, body);
  body();
}

void Mixer::take_where(Ex held, const SideFrame& side, Ex p, const Entry& entry, const Near* near) {
  held_ = held;
  take(side, p, entry, near);
  held_.reset();
}

void Mixer::take(const SideFrame& side, Ex p, const Entry& entry, const Near* near) {
  if (frame_.spec.by_channel()) return mix_gated(side, p, entry, near);
  const auto add = [&](Ex weight) {
    entry.value([&](MemoryId memory, Ex at) {
      values_.each_value("value", memory, at, [&](Ex value, Ex index) {
        builder_.store(mixed, index, builder_.load(mixed, index) + weight * value);
      });
    });
  };
  // `raw` is what a near entry's weight is made of, once the row is complete.
  const auto mix = [&](Ex weight, Ex raw) {
    if (near == nullptr) return add(weight);
    if (!near->is_near) return near->take(p, raw);
    builder_.when(
        near->is_near(p), [&] { near->take(p, raw); }, [&] { add(weight); });
  };
  if (!frame_.softmax()) {
    return mix_given(side, p, [&](Ex coefficient) { mix(coefficient, coefficient); });
  }
  const Ex value = score(entry);
  if (frame_.transposed()) {
    return where_held([&] {
      const Ex row = builder_.let("reader", frame_.row_at(p - 1));
      const Ex exponential =
          builder_.call(Helper::kExponential, {value - builder_.load(frame_.highest, row)});
      const Ex share = exponential * builder_.load(frame_.inverse, row);
      const Ex weight = builder_.let("weight", frame_.gamma ? *frame_.gamma * share : share);
      mix(weight, weight);
    });
  }
  builder_.when(value > highest, [&] {
    const Ex shrink =
        builder_.let("shrink", builder_.call(Helper::kExponential, {Ex(highest) - value}));
    builder_.assign(total, Ex(total) * shrink);
    values_.each_channel(
        [&](Ex, Ex index) { builder_.store(mixed, index, builder_.load(mixed, index) * shrink); });
    builder_.assign(highest, value);
  });
  where_held([&] {
    const Ex exponential = builder_.call(Helper::kExponential, {value - highest});
    const Ex side_factor = factor(side);
    const Ex weight =
        builder_.let("weight", frame_.gamma ? side_factor * exponential : exponential);
    builder_.assign(total, Ex(total) + weight);
    mix(weight, value);
  });
}

// A lane has the weights of its own channels.
void Mixer::mix_gated(const SideFrame& side, Ex p, const Entry& entry, const Near* near) {
  const Ex number = builder_.let("number", entry_);
  builder_.assign(entry_, number + 1);
  if (asks_ahead(side)) gates_ahead_->await(number);
  where_held([&] {
    const MemoryId gates = gates_of(side, p, number);
    const auto add = [&] {
      entry.value([&](MemoryId memory, Ex at) {
        values_.each_value("value", memory, at, [&](Ex value, Ex index) {
          builder_.store(mixed, index,
                         builder_.load(mixed, index) + builder_.load(gates, index) * value);
        });
      });
    };
    if (near == nullptr) return add();
    builder_.when(
        near->is_near(p), [&] { near->take_gates(p, number, gates); }, add);
  });
}

MemoryId Mixer::gates_of(const SideFrame& side, Ex p, Ex number) {
  if (asks_ahead(side)) return gates_ahead_->of(number);
  // In the transposed system the row that reads has them, and as its entry of the same number.
  const Ex base = frame_.transposed()
                      ? coefficient_row(frame_.spec, frame_.row_at(p - 1), side.width)
                      : coefficient_base_;
  const MemoryId gates = values_.array("gates");
  values_.load(gates, side.coefficients,
               builder_.let("gates_at", base + coefficient_entry(frame_.spec, number)));
  return gates;
}

void Mixer::mix_given(const SideFrame& side, Ex p, const std::function<void(Ex)>& mix) {
  if (asks_ahead(side)) {
    const Ex coefficient = builder_.let("weight", ahead_->of(entry_));
    where_held([&] { mix(coefficient); });
  } else {
    where_held([&] { mix(builder_.let("weight", coefficient_of(side, p))); });
  }
  builder_.assign(entry_, Ex(entry_) + 1);
}

// Of the entry at hand, with given weights.
Ex Mixer::coefficient_of(const SideFrame& side, Ex p) {
  // In the transposed system the row that reads has it, and as its entry of the same number.
  const Ex base = frame_.transposed()
                      ? coefficient_row(frame_.spec, frame_.row_at(p - 1), side.width)
                      : coefficient_base_;
  const Ex loaded = builder_.load(side.coefficients, base + entry_);
  if (!ask_once_) return loaded;
  const Ex mine = builder_.let(
      "mine", builder_.select(equal(values_.lane(), builder_.i64(0)), loaded, builder_.f32(0)));
  return values_.from_first(mine);
}

void Mixer::skip() {
  if (!frame_.softmax()) builder_.assign(entry_, Ex(entry_) + 1);
}

Ex Mixer::near_weight(Ex score_or_coefficient) {
  if (!weighs_by_row()) return score_or_coefficient;
  const Ex exponential = builder_.call(Helper::kExponential, {score_or_coefficient - highest});
  return frame_.gamma ? *frame_.gamma * exponential : exponential;
}

void Mixer::finish() {
  if (!weighs_by_row()) return;
  inverse_ = builder_.let("inverse", builder_.select(Ex(total) > builder_.f32(0),
                                                     builder_.f32(1) / total, builder_.f32(0)));
}

MemoryId Mixer::row() {
  if (weighs_by_row()) {
    values_.each_channel([&](Ex, Ex index) {
      builder_.store(mixed, index, normalized(builder_.load(mixed, index)));
    });
  }
  return mixed;
}

Ex Mixer::normalized(Ex value) const { return weighs_by_row() ? value * inverse_ : value; }

}  // namespace heddle::schedule
