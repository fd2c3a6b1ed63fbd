// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/gradient_rows.hpp"

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::MemoryId;
using ir::Type;
using ir::Var;

RowLanes GradientRows::lanes() const {
  return shared_ ? *shared_ : RowLanes(builder_, frame_.lane, frame_.spec.head_dim);
}

void GradientRows::each_channel(const std::function<void(Ex, Ex)>& body) {
  lanes().each_channel(body);
}

MemoryId GradientRows::vector(const std::string& name, const std::function<Ex(Ex)>& value) {
  const MemoryId made = array(name);
  each_channel([&](Ex d, Ex index) { builder_.store(made, index, value(d)); });
  return made;
}

MemoryId GradientRows::row_of(const std::string& name, MemoryId memory, Ex at) {
  const MemoryId made = array(name);
  load(made, memory, at);
  return made;
}

MemoryId GradientRows::row_in_halves(const std::string& name, MemoryId memory, Ex at,
                                     std::int64_t behind) {
  const MemoryId made = array(name);
  lanes().load_halves(made, memory, at, behind);
  return made;
}

MemoryId GradientRows::zeros(const std::string& name) {
  return vector(name, [&](Ex) { return builder_.f32(0); });
}

Ex GradientRows::dot(const std::string& name, MemoryId one, MemoryId other) {
  return builder_.let(name, lanes().dot(one, builder_.i64(0), other, together_));
}

void GradientRows::add(MemoryId sums, Ex factor, MemoryId values) {
  each_channel([&](Ex, Ex index) {
    builder_.store(sums, index, builder_.load(sums, index) + factor * builder_.load(values, index));
  });
}

void GradientRows::write(MemoryId to, Ex at, MemoryId values) { lanes().store(to, at, values); }

void GradientRows::on_first_lane(const std::function<void()>& body) {
  builder_.when(equal(lanes().lane(), builder_.i64(0)), body);
}

void GradientRows::each_side(const std::function<void(const GradientSide&)>& body) {
  for (const GradientSide* side : {&frame_.a, &frame_.b}) {
    if (!side->plan->empty()) body(*side);
  }
}

GradientRows::Statistic GradientRows::statistic(Ex at) {
  return {builder_.let("highest", builder_.load(frame_.highest, at)),
          builder_.let("inverse", builder_.load(frame_.inverse, at))};
}

Ex GradientRows::score_of(MemoryId query, MemoryId key) {
  return builder_.let("score", frame_.scale * dot("product_of_all", query, key));
}

Ex GradientRows::weight_of(const GradientSide& side, const Statistic& of, Ex score) {
  const Ex exponential = builder_.call(Helper::kExponential, {score - of.highest});
  return builder_.let("weight", frame_.times_factor(side, exponential) * of.inverse);
}

Ex GradientRows::found(const StateGradients& state, MemoryId positions, Ex p) {
  if (state.keep == CacheRetention::kAll) {
    return builder_.select(p <= state.slots, p, builder_.i64(0));
  }
  return find_on_cuda(builder_, frame_.lane, positions, state.pos_base, state.slots, p);
}

GradientRows::Spot GradientRows::locate(const GradientSide& side, Ex p) {
  const Ex here = frame_.token_at(frame_.token_of(p));
  const StateGradients& state = side.state;
  if (!state.cached()) return {frame_.k, side.value, builder_.let("from", here)};
  const Ex before = builder_.let("before", p <= frame_.start);
  const Var at = builder_.variable("from", here);
  builder_.when(before, [&] {
    const bool all = state.keep == CacheRetention::kAll;
    const Ex slot =
        all ? p - 1
            : builder_.call(Helper::kMaximum, {found(state, state.pos, p) - 1, builder_.i64(0)});
    builder_.assign(at, frame_.slot_at(state, slot));
  });
  Spot spot;
  if (frame_.softmax()) spot.key = builder_.choose("keys", before, state.key, frame_.k);
  spot.value = builder_.choose("values", before, state.val, side.value);
  spot.at = at;
  return spot;
}

void GradientRows::when_held_before(const StateGradients& state, Ex slot,
                                    const std::function<void(Ex)>& body) {
  const bool all = state.keep == CacheRetention::kAll;
  const Ex p =
      builder_.let("held_p", all ? slot + 1 : builder_.load(state.pos, state.pos_base + slot));
  builder_.when(both(p >= 1, p <= frame_.start), [&] { body(p); });
}

void GradientRows::add_handed(const GradientSide& side, Ex p, const std::vector<Handed>& all) {
  if (!side.state.cached()) return;
  const Ex slot = builder_.let("handed", found(side.state, side.state.final_pos, p));
  builder_.when(slot > 0, [&] {
    const Ex at = builder_.let("handed_at", frame_.slot_at(side.state, slot - 1));
    for (const Handed& each : all) {
      each_channel([&](Ex d, Ex index) {
        builder_.store(each.sums, index,
                       builder_.load(each.sums, index) + builder_.load(each.gradients, at + d));
      });
    }
  });
}

}  // namespace heddle::schedule
