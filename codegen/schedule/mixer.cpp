// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/mixer.hpp"

#include "codegen/schedule/coefficients.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::MemoryId;
using ir::Type;
using ir::Var;

Mixer::Mixer(Frame& frame, Ex token) : frame_(frame), builder_(frame.builder), token_(token) {
  if (frame_.softmax()) {
    query_at_ = builder_.let("query_at", frame_.token_at(token));
    query_ = builder_.array("query", Type::kF32, frame_.owned());
  }
  mixed = builder_.array("mixed", Type::kF32, frame_.owned());
  frame_.each_channel([&](Ex d, Ex index) {
    if (frame_.softmax()) {
      builder_.store(query_, index, builder_.load(frame_.q, query_at_ + d));
    }
    builder_.store(mixed, index, begins_with(d));
  });
  if (!weighs_by_row()) return;
  highest = builder_.variable("highest", builder_.lowest_score());
  total = builder_.variable("total", builder_.f32(0));
}

Mixer::Mixer(Frame& frame, Ex token, const Left& left)
    : frame_(frame), builder_(frame.builder), token_(token) {
  if (frame_.softmax()) query_ = builder_.array("query", Type::kF32, frame_.owned());
  mixed = builder_.array("mixed", Type::kF32, frame_.owned());
  frame_.each_channel([&](Ex d, Ex index) {
    if (frame_.softmax()) {
      builder_.store(query_, index, builder_.load(left.query, left.query_at + d));
    }
    builder_.store(mixed, index, builder_.load(left.mixed, left.mixed_at + d));
  });
  if (!weighs_by_row()) return;
  highest = builder_.variable("highest", left.highest);
  total = builder_.variable("total", left.total);
}

// Of a row that is only begun; token_ and query_at_ are known.
Ex Mixer::begins_with(Ex d) {
  if (!frame_.transposed()) return builder_.f32(0);
  return builder_.load(frame_.x, frame_.token_at(token_) + d);
}

void Mixer::begin_side(const SideFrame& side) {
  if (frame_.softmax()) return;
  if (frame_.transposed()) {
    entry_ = builder_.variable("entry", builder_.i64(0));
    return;
  }
  const Ex row = frame_.row_at(token_);
  coefficient_base_ = builder_.let("coef_at", coefficient_row(frame_.spec, row, side.width));
  entry_ = builder_.variable("entry", builder_.i64(0));
}

Ex Mixer::score(const Entry& entry) {
  const Var product = builder_.variable("product", builder_.f32(0));
  entry.key([&](MemoryId key, Ex at) {
    frame_.each_channel([&](Ex d, Ex index) {
      builder_.assign(product,
                      Ex(product) + builder_.load(query_, index) * builder_.load(key, at + d));
    });
  });
  return builder_.let("score", frame_.scale * builder_.reduce(ir::ReduceOperator::kSum, product));
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

void Mixer::take(const SideFrame& side, Ex p, const Entry& entry, const Near* near) {
  const auto add_by_channel = [&](const std::function<Ex(Ex)>& weight) {
    entry.value([&](MemoryId value, Ex at) {
      frame_.each_channel([&](Ex d, Ex index) {
        builder_.store(mixed, index,
                       builder_.load(mixed, index) + weight(d) * builder_.load(value, at + d));
      });
    });
  };
  const auto add = [&](Ex weight) { add_by_channel([&](Ex) { return weight; }); };
  if (frame_.spec.by_channel()) {
    assert_that(near == nullptr && !ask_once_, "channels with weights of their own stay apart");
    const Ex first =
        builder_.let("gates_at", coefficient_base_ + coefficient_entry(frame_.spec, entry_));
    builder_.assign(entry_, Ex(entry_) + 1);
    return add_by_channel([&](Ex d) { return builder_.load(side.coefficients, first + d); });
  }
  if (!frame_.softmax()) {
    // The row that reads has it, and as its entry of the same number.
    const Ex base = frame_.transposed()
                        ? coefficient_row(frame_.spec, frame_.row_at(p - 1), side.width)
                        : coefficient_base_;
    Ex loaded = builder_.load(side.coefficients, base + entry_);
    if (ask_once_) {
      const Ex mine = builder_.let(
          "mine", builder_.select(equal(frame_.lane, builder_.i64(0)), loaded, builder_.f32(0)));
      loaded = builder_.reduce(ir::ReduceOperator::kSum, mine);
    }
    const Ex coefficient = builder_.let("weight", loaded);
    builder_.assign(entry_, Ex(entry_) + 1);
    const auto far = [&] { add(coefficient); };
    if (near == nullptr) return far();
    if (!near->is_near) return near->take(p, coefficient);
    builder_.when(
        near->is_near(p), [&] { near->take(p, coefficient); }, far);
    return;
  }
  const Ex value = score(entry);
  if (frame_.transposed()) {
    const Ex row = builder_.let("reader", frame_.row_at(p - 1));
    const Ex exponential =
        builder_.call(Helper::kExponential, {value - builder_.load(frame_.highest, row)});
    const Ex share = exponential * builder_.load(frame_.inverse, row);
    const Ex weight = builder_.let("weight", frame_.gamma ? *frame_.gamma * share : share);
    if (near == nullptr) return add(weight);
    if (!near->is_near) return near->take(p, weight);
    return builder_.when(
        near->is_near(p), [&] { near->take(p, weight); }, [&] { add(weight); });
  }
  builder_.when(value > highest, [&] {
    const Ex shrink =
        builder_.let("shrink", builder_.call(Helper::kExponential, {Ex(highest) - value}));
    builder_.assign(total, Ex(total) * shrink);
    frame_.each_channel(
        [&](Ex, Ex index) { builder_.store(mixed, index, builder_.load(mixed, index) * shrink); });
    builder_.assign(highest, value);
  });
  const Ex exponential = builder_.call(Helper::kExponential, {value - highest});
  const Ex side_factor = factor(side);
  const Ex weight = builder_.let("weight", frame_.gamma ? side_factor * exponential : exponential);
  builder_.assign(total, Ex(total) + weight);
  if (near == nullptr) return add(weight);
  if (!near->is_near) return near->take(p, value);
  builder_.when(
      near->is_near(p), [&] { near->take(p, value); }, [&] { add(weight); });
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

void Mixer::write(MemoryId y, Ex at) {
  frame_.each_channel(
      [&](Ex d, Ex index) { builder_.store(y, at + d, normalized(builder_.load(mixed, index))); });
}

Ex Mixer::normalized(Ex value) const { return weighs_by_row() ? value * inverse_ : value; }

}  // namespace heddle::schedule
