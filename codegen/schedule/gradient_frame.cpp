// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/gradient_frame.hpp"

#include <string>

#include "codegen/rows/row_shape.hpp"
#include "codegen/rows/syntax.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::MemoryId;

namespace {

bool is_row_itself(const rows::RowPlan& plan) {
  if (plan.leaves.size() != 1 || plan.formula->leaf != 0) return false;
  const auto* span = std::get_if<rows::SpanLeaf>(&plan.leaves[0]);
  if (span == nullptr || span->low != span->high || !span->conditions.empty()) return false;
  const Name* name = std::get_if<Name>(&span->low->node);
  return plan.side == Side::kA && name != nullptr && name->name == "i";
}

}  // namespace

GradientFrame::GradientFrame(Builder& the_builder, const KernelSpec& the_spec,
                             GradientScratch scratch)
    : builder(the_builder),
      spec(the_spec),
      own_input_only_(is_row_itself(the_spec.a)),
      by_windows_(!cuda() && !handed_on() && own_input_only_ && !spec.by_channel() &&
                  rows::shape_of(the_spec.b) == rows::RowShape::kShifted) {
  std::vector<std::string> by_row = {"batch", "tokens", "heads"};
  if (spec.varlen) by_row.erase(by_row.begin());
  std::vector<std::string> shape = by_row;
  shape.push_back(std::to_string(spec.head_dim));
  const auto read = [&](const char* name) {
    return builder.buffer(name, spec.dtype, Access::kRead, shape);
  };
  const auto write = [&](const std::string& name, ElementType type) {
    return builder.buffer(name, type, Access::kWrite, shape);
  };
  a.side = Side::kA;
  b.side = Side::kB;
  a.plan = &spec.a;
  b.plan = &spec.b;
  if (softmax()) {
    q = read("q");
    k = read("k");
  }
  x = read("x");
  for (GradientSide* side : {&a, &b}) declare_side(*side);
  if (softmax() || !b.plan->empty()) y = read("y");
  dy = read("dy");
  // Sums stay in f32; what is stored narrower is rounded once, when its sum is complete.
  const bool narrow = spec.dtype != ElementType::kF32;
  if (softmax()) {
    dq = write("dq", spec.dtype);
    dk = write("dk", spec.dtype);
  }
  dx = write("dx", spec.dtype);
  for (GradientSide* side : {&a, &b}) {
    if (softmax() || side->plan->empty()) continue;
    const std::string letter = side->side == Side::kA ? "a" : "b";
    side->dcoefficients = builder.buffer("dcoef_" + letter, spec.dtype, Access::kWrite,
                                         coefficient_shape(spec, "tokens", side->side));
  }
  if (cuda()) {
    lambda = builder.buffer("scratch_lambda", ElementType::kF32, scratch.lambda, shape);
    dk_apart = narrow && softmax();
    dx_apart = narrow && !own_input_only();
    dk_sum = dk_apart ? write("scratch_dk", ElementType::kF32) : dk;
    dx_sum = dx_apart ? write("scratch_dx", ElementType::kF32) : dx;
  }
  if (softmax() && cuda()) {
    highest = builder.buffer("scratch_highest", ElementType::kF32, scratch.weights, by_row);
    inverse = builder.buffer("scratch_inverse", ElementType::kF32, scratch.weights, by_row);
    if (scratch.mean) {
      mean = builder.buffer("scratch_mean", ElementType::kF32, *scratch.mean, by_row);
    }
  }
  a.value = x;
  a.sum = dx_sum;
  b.value = y;
  b.sum = lambda;
  for (GradientSide* side : {&a, &b}) {
    side->state = declare_state_gradients(builder, spec, side->side);
  }
  if (spec.varlen) sequences_ = declare_sequences(builder, true, handed_on());
  tokens = builder.size("tokens");
  heads = builder.size("heads");
  if (spec.varlen) longest_ = builder.size("longest");
  all_tokens_ = tokens;
  if (handed_on()) start = most_before = builder.size("start");
  for (GradientSide* side : {&a, &b}) {
    if (!side->state.cached()) continue;
    side->state.slots = builder.size(side->side == Side::kA ? "slots_a" : "slots_b");
  }
  for (GradientSide* side : {&a, &b}) {
    if (softmax() || side->plan->empty()) continue;
    side->width = builder.size(side->side == Side::kA ? "width_a" : "width_b");
  }
  if (!softmax()) return;
  scale = builder.scalar("scale");
  if (!a.plan->empty() && !b.plan->empty()) gamma = builder.scalar("gamma");
}

void GradientFrame::declare_side(GradientSide& side) {
  if (softmax() || side.plan->empty()) return;
  const std::string letter = side.side == Side::kA ? "a" : "b";
  side.coefficients = builder.buffer("coef_" + letter, spec.dtype, Access::kRead,
                                     coefficient_shape(spec, "tokens", side.side));
}

void GradientFrame::each_block(const std::function<void()>& body) {
  if (cuda()) {
    enter(builder.let("block", builder.where(ir::Place::kBlock)));
    return body();
  }
  builder.loop("block", builder.where(ir::Place::kFirstBlock), builder.where(ir::Place::kLastBlock),
               [&](Ex each) {
                 enter(each);
                 body();
               });
}

void GradientFrame::each_sequence(const std::function<void()>& prepare,
                                  const std::function<void()>& sequence) {
  if (!spec.varlen) prepare();
  each_block([&] {
    if (!spec.varlen) return sequence();
    const auto by_itself = [&] {
      prepare();
      sequence();
    };
    // Gradients of a state pass through a sequence without tokens.
    if (handed_on()) return by_itself();
    builder.when(tokens > 0, by_itself);
  });
  builder.perform(ir::Procedure::kSettleStores, 0, {});
}

void GradientFrame::enter(Ex the_unit) {
  block = unit = the_unit;
  if (cuda()) {
    thread = builder.let("thread", builder.where(ir::Place::kThread));
    warp = builder.let("warp", builder.where(ir::Place::kWarp));
    lane = builder.let("lane", builder.where(ir::Place::kLane));
  }
  if (chunks) {
    chunk = builder.let("chunk", unit % *chunks);
    block = builder.let("whole_block", unit / *chunks);
  }
  batch = builder.let("batch", block / heads);
  head = builder.let("head", block % heads);
  token_stride = builder.let("token_stride", heads * spec.head_dim);
  if (spec.varlen) {
    if (handed_on()) start = own_start(builder, sequences_, batch, most_before);
    const OwnTokens own = own_tokens(builder, sequences_, batch, all_tokens_,
                                     handed_on() ? longest_ - start : longest_);
    first_token_ = own.first;
    tokens = own.count;
  }
  const Ex first_row = spec.varlen ? first_token_ * heads + head : batch * tokens * heads + head;
  token_base = builder.let("token_base", first_row * spec.head_dim);
  length = handed_on() ? builder.let("length", start + tokens) : tokens;
  for (GradientSide* side : {&a, &b}) {
    StateGradients& state = side->state;
    if (!state.cached()) continue;
    const std::string letter = side->side == Side::kA ? "a" : "b";
    state.slot_base =
        builder.let("slot_base_" + letter, (batch * state.slots * heads + head) * spec.head_dim);
    if (state.keep == CacheRetention::kNextRow) {
      state.pos_base = builder.let("pos_base_" + letter, block * state.slots);
    }
  }
}

Ex GradientFrame::row_at(Ex token) const {
  return ((spec.varlen ? first_token_ : batch * tokens) + token) * heads + head;
}

Ex GradientFrame::factor(const GradientSide& side) {
  if (!gamma) return builder.f32(1);
  return side.side == Side::kB ? *gamma : builder.f32(1) - *gamma;
}

}  // namespace heddle::schedule
