// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/gradient_rows.hpp"

#include "codegen/schedule/scan_chain.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::MemoryId;
using ir::Type;
using ir::Var;

void GradientRows::each_channel(const std::function<void(Ex, Ex)>& body) {
  each_channel_of_lane(builder_, frame_.spec, frame_.lane, body);
}

MemoryId GradientRows::vector(const std::string& name, const std::function<Ex(Ex)>& value) {
  const MemoryId made = builder_.array(name, Type::kF32, channels_of_lane(frame_.spec));
  each_channel([&](Ex d, Ex index) { builder_.store(made, index, value(d)); });
  return made;
}

MemoryId GradientRows::row_of(const std::string& name, MemoryId memory, Ex at) {
  return vector(name, [&](Ex d) { return builder_.load(memory, at + d); });
}

MemoryId GradientRows::zeros(const std::string& name) {
  return vector(name, [&](Ex) { return builder_.f32(0); });
}

Ex GradientRows::dot(const std::string& name, MemoryId one, MemoryId other) {
  const Var product = builder_.variable("product", builder_.f32(0));
  each_channel([&](Ex, Ex index) {
    builder_.assign(product, Ex(product) + builder_.load(one, index) * builder_.load(other, index));
  });
  return builder_.let(name, builder_.reduce(ir::ReduceOperator::kSum, product));
}

void GradientRows::add(MemoryId sums, Ex factor, MemoryId values) {
  each_channel([&](Ex, Ex index) {
    builder_.store(sums, index, builder_.load(sums, index) + factor * builder_.load(values, index));
  });
}

void GradientRows::write(MemoryId to, Ex at, MemoryId values) {
  each_channel([&](Ex d, Ex index) { builder_.store(to, at + d, builder_.load(values, index)); });
}

void GradientRows::on_first_lane(const std::function<void()>& body) {
  builder_.when(equal(frame_.lane, builder_.i64(0)), body);
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

Ex GradientRows::weight_of(const GradientSide& side, const Statistic& of, MemoryId query,
                           MemoryId key) {
  const Ex score = builder_.let("score", frame_.scale * dot("product_of_all", query, key));
  const Ex exponential = builder_.call(Helper::kExponential, {score - of.highest});
  return builder_.let("weight", frame_.times_factor(side, exponential) * of.inverse);
}

}  // namespace heddle::schedule
