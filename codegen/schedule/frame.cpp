// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/frame.hpp"

#include "codegen/schedule/coefficients.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Var;

namespace {

std::string letter(Side side) { return side == Side::kA ? "a" : "b"; }

}  // namespace

Frame::Frame(Builder& the_builder, const KernelSpec& the_spec, bool is_decode)
    : builder(the_builder), spec(the_spec), decode(is_decode) {
  const std::string dim = std::to_string(spec.head_dim);
  const bool several = decode && spec.several_tokens;
  const std::string count = several ? "new_tokens" : decode ? "1" : "tokens";
  std::vector<std::string> shape = {"batch", count, "heads", dim};
  const bool behind_each_other = spec.varlen && !decode;
  if (behind_each_other) shape = {"tokens", "heads", dim};
  const auto side_frame = [&](Side side) {
    SideFrame frame;
    frame.side = side;
    frame.plan = &spec.plan(side);
    frame.keep = spec.keep(side);
    return frame;
  };
  a = side_frame(Side::kA);
  b = side_frame(Side::kB);
  if (softmax() || spec.matrix_rows()) {
    std::vector<std::string> keys = shape;
    if (spec.matrix_rows()) keys.back() = std::to_string(spec.state_dim);
    q = builder.buffer("q", spec.dtype, Access::kRead, keys);
    k = builder.buffer("k", spec.dtype, Access::kRead, keys);
  }
  x = builder.buffer("x", spec.dtype, Access::kRead, shape);
  for (SideFrame* side : {&a, &b}) {
    if (has_coefficients(*side)) {
      side->coefficients = builder.buffer("coef_" + letter(side->side), spec.dtype, Access::kRead,
                                          coefficient_shape(spec, count, side->side));
    }
  }
  y = builder.buffer("y", spec.dtype, Access::kWrite, shape);
  a.input = x;
  b.input = y;
  for (SideFrame* side : {&a, &b}) declare_cache(*side);
  if (spec.matrix_rows() && !decode) {
    std::vector<std::string> all = {"batch", "heads", "tokens"};
    if (spec.tensor) all = {"batch", "heads", "2", "live_states"};
    for (const int extent : {spec.state_dim, spec.head_dim}) all.push_back(std::to_string(extent));
    states = builder.buffer("scratch_states", ElementType::kF32, Access::kReadWrite, all);
  }
  if (spec.varlen) sequences_ = declare_sequences(builder, !decode, true);
  if (!decode) tokens = builder.size("tokens");
  if (several) tokens = builder.size("new_tokens");
  heads = builder.size("heads");
  start = builder.size("start");
  if (behind_each_other) longest = builder.size("longest");
  for (SideFrame* side : {&a, &b}) {
    if (side->cached()) side->slots = builder.size("slots_" + letter(side->side));
    if (!side->cached() || !in_pages()) continue;
    side->table = builder.size("table_" + letter(side->side));
    side->pool = builder.size("pool_" + letter(side->side));
  }
  for (SideFrame* side : {&a, &b}) {
    if (has_coefficients(*side)) {
      side->width = builder.size("width_" + letter(side->side));
    }
  }
  if (spec.matrix_rows() && spec.tensor && !decode) live_states = builder.size("live_states");
  if (softmax()) declare_scalars();
  if (decode && !several) tokens = builder.i64(1);
  all_tokens_ = tokens;
  most_before_ = start;
}

void Frame::declare_scalars() {
  scale = builder.scalar("scale");
  // With one side only every weight carries the same factor, which cancels.
  if (!spec.a.empty() && !spec.b.empty()) gamma = builder.scalar("gamma");
}

Frame::Frame(Builder& the_builder, const KernelSpec& the_spec, Transposed)
    : builder(the_builder), spec(the_spec), decode(false), transposed_(true) {
  static const rows::RowPlan kNothing{Side::kA, {}, nullptr};
  std::vector<std::string> by_row = {"batch", "tokens", "heads"};
  if (spec.varlen) by_row.erase(by_row.begin());
  std::vector<std::string> shape = by_row;
  shape.push_back(std::to_string(spec.head_dim));
  a.side = Side::kA;
  a.plan = &kNothing;
  b.side = Side::kB;
  b.plan = &spec.b;
  a.keep = b.keep = CacheRetention::kNone;
  if (softmax()) {
    k = builder.buffer("q", spec.dtype, Access::kRead, shape);
    q = builder.buffer("k", spec.dtype, Access::kRead, shape);
  } else {
    b.coefficients = builder.buffer("coef_b", spec.dtype, Access::kRead,
                                    coefficient_shape(spec, "tokens", Side::kB));
  }
  // Between states lambda's right hand side is there already, each row of it where lambda will be.
  const bool between = spec.state_gradients;
  if (!between) x = builder.buffer("dy", spec.dtype, Access::kRead, shape);
  y = builder.buffer("scratch_lambda", ElementType::kF32,
                     between ? Access::kReadWrite : Access::kWrite, shape);
  if (between) x = y;
  a.input = x;
  b.input = y;
  if (softmax()) {
    highest = builder.buffer("scratch_highest", ElementType::kF32, Access::kRead, by_row);
    inverse = builder.buffer("scratch_inverse", ElementType::kF32, Access::kRead, by_row);
  }
  if (spec.varlen) sequences_ = declare_sequences(builder, true, between);
  all_tokens_ = tokens = builder.size("tokens");
  heads = builder.size("heads");
  if (spec.varlen) longest = builder.size("longest");
  if (spec.varlen && between) most_before_ = builder.size("start");
  if (softmax()) {
    declare_scalars();
  } else {
    b.width = builder.size("width_b");
  }
  start = builder.i64(0);
}

CacheBuffers Frame::cache_buffers(Side side, const std::string& prefix, Access access) {
  const std::string name = prefix + letter(side);
  const std::string slots = "slots_" + letter(side);
  std::vector<std::string> shape = {"batch", slots, "heads", std::to_string(spec.head_dim)};
  if (in_pages()) {
    shape[0] = "pool_" + letter(side);
    shape[1] = std::to_string(spec.page_rows);
  }
  CacheBuffers buffers;
  if (spec.keep(side) == CacheRetention::kNextRow) {
    buffers.pos =
        builder.buffer(name + "_pos", ElementType::kI32, access, {"batch", "heads", slots});
  }
  if (softmax()) buffers.key = builder.buffer(name + "_key", spec.dtype, access, shape);
  if (spec.matrix_rows()) shape.insert(shape.end() - 1, std::to_string(spec.state_dim));
  buffers.val = builder.buffer(name + "_val", spec.matrix_rows() ? ElementType::kF32 : spec.dtype,
                               access, shape);
  return buffers;
}

void Frame::declare_cache(SideFrame& side) {
  if (!side.cached()) return;
  if (decode) {
    side.before = side.after = cache_buffers(side.side, "cache_", Access::kReadWrite);
    if (!in_pages()) return;
    const std::string suffix = letter(side.side);
    side.pages = builder.buffer("pages_" + suffix, ElementType::kI32, Access::kRead,
                                {"batch", "table_" + suffix});
  } else {
    side.before = cache_buffers(side.side, "initial_", Access::kRead);
    side.after = cache_buffers(side.side, "final_", Access::kWrite);
  }
}

void Frame::each_block(const std::function<void()>& body) {
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

void Frame::enter(Ex the_unit) {
  block = unit = the_unit;
  if (cuda()) {
    thread = builder.let("thread", builder.where(ir::Place::kThread));
    warp = builder.let("warp", builder.where(ir::Place::kWarp));
    lane = builder.let("lane", builder.where(ir::Place::kLane));
  }
  if (spec.slices > 1) {
    slice = builder.let("slice", unit % builder.i64(spec.slices));
    block = builder.let("whole_block", unit / builder.i64(spec.slices));
  }
  if (spec.tensor && spec.tensor->slices > 1) {
    slice = builder.let("slice", unit % builder.i64(spec.tensor->slices));
    block = builder.let("whole_block", unit / builder.i64(spec.tensor->slices));
  }
  if (chunks) {
    chunk = builder.let("chunk", unit % *chunks);
    block = builder.let("whole_block", unit / *chunks);
  }
  // Where the channels of this block begin, of rows of so many.
  const auto first_of = [this](Ex row, int channels) {
    const Ex at = row * channels;
    return spec.slices > 1 ? at + slice * (channels / spec.slices) : at;
  };
  batch = builder.let("batch", block / heads);
  head = builder.let("head", block % heads);
  token_stride =
      builder.let("token_stride", transposed_ ? heads * -spec.head_dim : heads * spec.head_dim);
  slot_stride =
      spec.matrix_rows() ? builder.let("slot_stride", heads * spec.value_size()) : token_stride;
  if (spec.varlen) enter_sequence();
  const bool behind_each_other = spec.varlen && !decode;
  const Ex first_token = behind_each_other ? first_token_ : batch * tokens;
  const Ex behind_last = behind_each_other ? first_token_ + tokens : (batch + 1) * tokens;
  const Ex first_row = (transposed_ ? behind_last - 1 : first_token) * heads + head;
  token_base = builder.let("token_base", first_of(first_row, spec.head_dim));
  for (SideFrame* side : {&a, &b}) {
    if (!side->cached()) continue;
    const std::string suffix = letter(side->side);
    // The slots of a sequence lie side by side, or the pages of all sequences do.
    side->slot_base = builder.let(
        "slot_base_" + suffix,
        first_of(in_pages() ? head : batch * side->slots * heads + head, spec.value_size()));
    if (side->keep == CacheRetention::kNextRow) {
      side->pos_base = builder.let("pos_base_" + suffix, block * side->slots);
    }
  }
}

void Frame::enter_sequence() {
  // Rows of the transposed system are the launch's alone, of a sequence that has begun before or
  // not.
  const bool begins = transposed_ && !spec.state_gradients;
  const Ex before = begins ? start : own_start(builder, sequences_, batch, most_before_);
  if (!transposed_) start = before;
  if (decode) return;
  const OwnTokens own =
      own_tokens(builder, sequences_, batch, all_tokens_, begins ? longest : longest - before);
  first_token_ = own.first;
  tokens = own.count;
}

void Frame::each_new_token(const std::function<void()>& body) {
  if (!spec.several_tokens) return body();
  const Ex first_start = start, first_base = token_base;
  builder.loop("turn", builder.i64(0), tokens, [&](Ex turn) {
    turn_ = turn;
    start = builder.let("start_of_turn", first_start + turn);
    token_base = builder.let("base_of_turn", first_base + turn * token_stride);
    body();
    // The next token reads what this one has left in the cache.
    if (cuda()) builder.barrier();
  });
  turn_.reset();
  start = first_start;
  token_base = first_base;
}

Ex Frame::row_at(Ex token) const {
  Ex first = spec.varlen && !decode ? first_token_ : batch * tokens;
  if (turn_) first = first + *turn_;
  if (transposed_) return (first + (tokens - 1 - token)) * heads + head;
  return (first + token) * heads + head;
}

Location Frame::locate(const SideFrame& side, Ex p) {
  // During decode every output that a row reads is cached, and so is every input but the newest.
  const bool never_here = decode && side.side == Side::kB;
  if (!side.cached()) {
    const Ex token = decode ? builder.i64(0) : p - start - 1;
    return {k, side.input, builder.let("at", token_at(token))};
  }
  if (never_here) return locate_in_state(side, p);
  const Ex cached = builder.let("cached", p <= start);
  const Var at = builder.variable("at", token_at(decode ? builder.i64(0) : p - start - 1));
  Location location;
  std::optional<Var> held;
  if (cuda() && side.keep == CacheRetention::kNextRow) {
    held = builder.variable("held", builder.truth(true));
    location.held = *held;
  }
  builder.when(cached, [&] {
    const Slot slot = slot_of(side, side.before, p);
    builder.assign(at, slot_at(side, slot.number));
    if (held) builder.assign(*held, *slot.held);
  });
  if (softmax()) location.key = builder.choose("keys", cached, side.before.key, k);
  location.value = builder.choose("values", cached, side.before.val, side.input);
  location.at = at;
  return location;
}

Location Frame::locate_in_state(const SideFrame& side, Ex p) {
  assert_that(side.cached(), "a side without a state has no position in it");
  const Slot slot = slot_of(side, side.before, p);
  return {side.before.key, side.before.val, builder.let("at", slot_at(side, slot.number)),
          slot.held};
}

Ex Frame::slot_at(const SideFrame& side, Ex slot) const {
  if (!in_pages()) return side.slot_base + slot * slot_stride;
  const Ex rows = builder.i64(spec.page_rows);
  const Ex page = builder.let(
      "page", between(builder, builder.load(side.pages, batch * side.table + slot / rows),
                      builder.i64(0), side.pool - 1));
  return side.slot_base + (page * rows + slot % rows) * slot_stride;
}

Slot Frame::slot_of(const SideFrame& side, const CacheBuffers& cache, Ex p) {
  if (side.keep == CacheRetention::kAll) return {p - 1, std::nullopt};
  if (cuda()) {
    const Ex found = find_on_cuda(builder, sharing < 32 ? lane_of_row : lane, cache.pos,
                                  side.pos_base, side.slots, p, sharing);
    return {found - 1, found > 0};
  }
  return {builder.perform("slot", ir::Procedure::kFindSlot, 0,
                          {builder.at(cache.pos, side.pos_base), side.slots.id(), p.id()}),
          std::nullopt};
}

Ex Frame::load(const Location& from, MemoryId memory, Ex channel) {
  const Ex there = builder.load(memory, from.at + channel);
  return from.held ? builder.select(*from.held, there, builder.f32(0)) : there;
}

void Frame::where_held(const Location& location, const std::function<void()>& use) {
  if (!location.held) return use();
  builder.when(*location.held, use);
}

Ex find_on_cuda(Builder& builder, Ex lane, MemoryId positions, Ex first, Ex slots, Ex p,
                int sharing) {
  const Var by_lane = builder.variable("by_lane", builder.i64(0));
  builder.loop("candidate", lane, slots, builder.i64(sharing), LoopKind::kSerial, [&](Ex at) {
    builder.when(equal(builder.load(positions, first + at), p),
                 [&] { builder.assign(by_lane, at + 1); });
  });
  // A name of its own, which all lanes agree on.
  return builder.let("found", builder.reduce(ir::ReduceOperator::kMaximum, by_lane, sharing));
}

RowLanes Frame::row_lanes() const {
  return warps_share ? RowLanes(builder, thread, spec.head_dim, RowLanes::kWarp * warps)
                     : RowLanes(builder, lane, spec.head_dim);
}

int Frame::owned() const { return cuda() ? row_lanes().owned() : spec.head_dim; }

void Frame::each_channel(const std::function<void(Ex, Ex)>& body) {
  if (cuda()) return row_lanes().each_channel(body);
  builder.loop("d", builder.i64(0), builder.i64(spec.head_dim), builder.i64(1), LoopKind::kLanes,
               [&](Ex d) { body(d, d); });
}

Ex Frame::rounded(Ex value) const {
  if (spec.dtype == ElementType::kBF16) return builder.call(Helper::kRoundToBf16, {value});
  if (spec.dtype == ElementType::kF16) return builder.call(Helper::kRoundToF16, {value});
  return value;
}

}  // namespace heddle::schedule
