// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/linear_frame.hpp"

namespace heddle::schedule {

using ir::Ex;

LinearFrame::LinearFrame(ir::Builder& the_builder, const KernelSpec& the_spec, bool is_decode)
    : builder(the_builder), spec(the_spec), decode(is_decode) {
  const bool several = decode && spec.several_tokens;
  const char* const count = several ? "new_tokens" : decode ? "1" : "tokens";
  std::vector<std::string> by_row = {"batch", count, "heads"};
  if (behind_each_other()) by_row.erase(by_row.begin());
  const auto of = [&](const std::string& last) {
    std::vector<std::string> shape = by_row;
    shape.push_back(last);
    return shape;
  };
  const std::string dim = std::to_string(spec.head_dim);
  const std::string rows = std::to_string(spec.state_dim);
  q = builder.buffer("q", spec.dtype, Access::kRead, of(rows));
  k = builder.buffer("k", spec.dtype, Access::kRead, of(rows));
  x = builder.buffer("x", spec.dtype, Access::kRead, of(dim));
  gate = builder.buffer("gate", ElementType::kF32, Access::kRead, by_row);
  y = builder.buffer("y", spec.dtype, Access::kWrite, of(dim));
  const std::vector<std::string> shape = {"batch", "heads", rows, dim};
  if (decode) {
    before = after = builder.buffer("cache_state", ElementType::kF32, Access::kReadWrite, shape);
  } else {
    before = builder.buffer("initial_state", ElementType::kF32, Access::kRead, shape);
    after = builder.buffer("final_state", ElementType::kF32, Access::kWrite, shape);
    if (spec.varlen) sequences_ = declare_sequences(builder, true, true);
    tokens = builder.size("tokens");
  }
  if (several) tokens = builder.size("new_tokens");
  heads = builder.size("heads");
  if (!decode) start = builder.size("start");
  if (behind_each_other()) longest_ = builder.size("longest");
  if (decode && !several) tokens = builder.i64(1);
  most_before_ = start;
  all_tokens_ = tokens;
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
  if (chunks) {
    const Ex length = builder.i64(spec.scan->chunk_tokens);
    const Ex first = builder.let("first_token", chunk * length);
    row_base_ = batch * all_tokens_ + first;
    tokens = builder.let("chunk_tokens",
                         builder.call(ir::Helper::kMinimum, {length, all_tokens_ - first}));
    return;
  }
  row_base_ = batch * tokens;
  if (!behind_each_other()) return;
  start = own_start(builder, sequences_, batch, most_before_);
  const OwnTokens own = own_tokens(builder, sequences_, batch, all_tokens_, longest_ - start);
  row_base_ = own.first;
  tokens = own.count;
}

Ex LinearFrame::row_of(Ex token) const { return (row_base_ + token) * heads + head; }

}  // namespace heddle::schedule
