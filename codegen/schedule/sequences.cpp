// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/sequences.hpp"

#include "codegen/manifest.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::Var;

Ex between(Builder& builder, Ex value, Ex low, Ex high) {
  return builder.call(Helper::kMinimum, {builder.call(Helper::kMaximum, {value, low}), high});
}

SequenceArrays declare_sequences(Builder& builder, bool offsets, bool starts) {
  SequenceArrays arrays;
  if (offsets) {
    arrays.offsets = builder.buffer("offsets", ElementType::kI32, Access::kRead, {kBoundsExtent});
  }
  if (starts) {
    arrays.starts = builder.buffer("starts", ElementType::kI32, Access::kRead, {"batch"});
  }
  return arrays;
}

Ex own_start(Builder& builder, const SequenceArrays& arrays, Ex batch, Ex most) {
  const Var before = builder.variable("before", builder.i64(0));
  builder.when(most > 0, [&] {
    builder.assign(before,
                   between(builder, builder.load(arrays.starts, batch), builder.i64(0), most));
  });
  return builder.let("own_start", before);
}

OwnTokens own_tokens(Builder& builder, const SequenceArrays& arrays, Ex batch, Ex tokens, Ex room) {
  const Ex first = builder.let(
      "first_token", between(builder, builder.load(arrays.offsets, batch), builder.i64(0), tokens));
  const Ex behind = builder.let(
      "end_token", between(builder, builder.load(arrays.offsets, batch + 1), first, tokens));
  return {first, builder.let("own_tokens", builder.call(Helper::kMinimum, {behind - first, room}))};
}

Ex own_chunks(Builder& builder, Ex tokens, int chunk_tokens) {
  const Ex whole = builder.let("held_in", (tokens + (chunk_tokens - 1)) / chunk_tokens);
  return builder.let("own_chunks", builder.call(Helper::kMaximum, {whole, builder.i64(1)}));
}

}  // namespace heddle::schedule
