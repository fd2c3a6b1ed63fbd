// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/linear_frame.hpp"

namespace heddle::schedule {

using ir::Ex;

LinearFrame::LinearFrame(ir::Builder& the_builder, const KernelSpec& the_spec, LinearUse use)
    : builder(the_builder),
      spec(the_spec),
      decode(use == LinearUse::kDecode),
      goes_on(use == LinearUse::kPrefill || (use == LinearUse::kBackward && spec.state_gradients)) {
  const bool several = decode && spec.several_tokens, backward = use == LinearUse::kBackward;
  const char* const count = several ? "new_tokens" : decode ? "1" : "tokens";
  std::vector<std::string> by_row = {"batch", count, "heads"};
  if (behind_each_other()) by_row.erase(by_row.begin());
  const auto of = [&](int last) {
    std::vector<std::string> shape = by_row;
    shape.push_back(std::to_string(last));
    return shape;
  };
  const std::vector<std::string> by_key = of(spec.state_dim), by_value = of(spec.head_dim);
  q = builder.buffer("q", spec.dtype, Access::kRead, by_key);
  k = builder.buffer("k", spec.dtype, Access::kRead, by_key);
  x = builder.buffer("x", spec.dtype, Access::kRead, by_value);
  const std::vector<std::string> gates = spec.key_gates ? by_key : by_row;
  gate = builder.buffer("gate", ElementType::kF32, Access::kRead, gates);
  if (backward) {
    dy = builder.buffer("dy", spec.dtype, Access::kRead, by_value);
    dq = builder.buffer("dq", spec.dtype, Access::kWrite, by_key);
    dk = builder.buffer("dk", spec.dtype, Access::kWrite, by_key);
    dx = builder.buffer("dx", spec.dtype, Access::kWrite, by_value);
    dgate = builder.buffer("dgate", ElementType::kF32, Access::kWrite, gates);
  } else {
    y = builder.buffer("y", spec.dtype, Access::kWrite, by_value);
  }
  declare_states(use);
  if (!decode && spec.varlen) sequences_ = declare_sequences(builder, true, goes_on);
  if (!decode) tokens = builder.size("tokens");
  if (several) tokens = builder.size("new_tokens");
  heads = builder.size("heads");
  if (goes_on) start = most_before = builder.size("start");
  if (behind_each_other()) longest_ = builder.size("longest");
  if (decode && !several) tokens = builder.i64(1);
  all_tokens_ = tokens;
}

void LinearFrame::declare_states(LinearUse use) {
  const std::vector<std::string> shape = {"batch", "heads", std::to_string(spec.state_dim),
                                          std::to_string(spec.head_dim)};
  const auto state = [&](const char* name, Access access) {
    return builder.buffer(name, ElementType::kF32, access, shape);
  };
  if (use == LinearUse::kDecode) {
    before = after = state("cache_state", Access::kReadWrite);
  } else if (use == LinearUse::kPrefill) {
    before = state("initial_state", Access::kRead);
    after = state("final_state", Access::kWrite);
  } else if (spec.state_gradients) {
    before = state("initial_state", Access::kRead);
    dafter = state("dfinal_state", Access::kRead);
    dbefore = state("dinitial_state", Access::kWrite);
  }
}

void LinearFrame::enter(Ex block) {
  unit = block;
  if (chunks) {
    chunk = builder.let("chunk", unit % *chunks);
    block = builder.let("whole_block", unit / *chunks);
  }
  batch = builder.let("batch", block / heads);
  head = builder.let("head", block % heads);
  state_at = builder.let("state_at", block * (spec.state_dim * spec.head_dim));
  row_base_ = batch * tokens;
  if (behind_each_other()) enter_sequence();
  if (!chunks) return;
  const Ex length = builder.i64(spec.scan->chunk_tokens);
  const Ex first = builder.let("first_token", chunk * length);
  row_base_ = row_base_ + first;
  tokens =
      builder.let("chunk_tokens", builder.call(ir::Helper::kMinimum, {length, tokens - first}));
}

void LinearFrame::enter_sequence() {
  if (goes_on) start = own_start(builder, sequences_, batch, most_before);
  const OwnTokens own =
      own_tokens(builder, sequences_, batch, all_tokens_, goes_on ? longest_ - start : longest_);
  row_base_ = own.first;
  tokens = own.count;
  if (spec.scan) {
    own_chunks = schedule::own_chunks(builder, tokens, spec.scan->chunk_tokens);
  }
}

void LinearFrame::where_own(const std::function<void()>& body) {
  if (!chunks || !spec.varlen) return body();
  builder.when(chunk < own_chunks, body);
}

Ex LinearFrame::row_of(Ex token) const { return (row_base_ + token) * heads + head; }

}  // namespace heddle::schedule
