// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/scan_chain.hpp"

#include <string>
#include <vector>

#include "codegen/schedule/sequences.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

ScanScratch::ScanScratch(Builder& builder, const KernelSpec& spec, Access carries, Access products)
    : builder_(builder), spec_(spec) {
  std::vector<std::string> by_chunk = {"batch", "heads", "chunks"}, by_channel = by_chunk;
  by_channel.push_back(std::to_string(spec.head_dim));
  product = builder.buffer("scratch_product", ElementType::kF32, products,
                           spec.by_channel() ? by_channel : by_chunk);
  carry = builder.buffer("scratch_carry", ElementType::kF32, carries, by_channel);
  own = chunks = builder.size("chunks");
}

void ScanScratch::enter(Ex tokens) {
  if (spec_.varlen) own = own_chunks(builder_, tokens, spec_.scan->chunk_tokens);
}

void ScanScratch::where_own(Ex chunk, const std::function<void()>& body) {
  if (!spec_.varlen) return body();
  builder_.when(chunk < own, body);
}

int channels_of_lane(const KernelSpec& spec) { return (spec.head_dim + 31) / 32; }

void each_channel_of_lane(Builder& builder, const KernelSpec& spec, Ex lane,
                          const std::function<void(Ex, Ex)>& body) {
  builder.loop("part", builder.i64(0), builder.i64(channels_of_lane(spec)), builder.i64(1),
               LoopKind::kUnrolled, [&](Ex part) {
                 const Ex d = builder.let("d", lane + part * 32);
                 if (spec.head_dim % 32 == 0) return body(d, part);
                 builder.when(d < spec.head_dim, [&] { body(d, part); });
               });
}

void ScanChunk::enter(Ex unit, Ex chunk, Ex tokens, Ex thread) {
  unit_ = unit;
  thread_ = thread;
  const Ex length = builder_.i64(spec_.scan->chunk_tokens);
  first_ = builder_.let("first", chunk * length);
  size_ = builder_.let("size", builder_.call(Helper::kMinimum, {length, tokens - first_}));
}

std::vector<MemoryId> ScanChunk::fetch(const std::vector<Value>& values) {
  std::vector<MemoryId> fetched;
  for (const auto& [name, value] : values) {
    fetched.push_back(builder_.array(name, Type::kF32, spec_.scan->chunk_tokens, true));
  }
  builder_.loop("r", thread_, size_, builder_.i64(32 * scan_warps(spec_)), LoopKind::kSerial,
                [&](Ex r) {
                  const Ex token = builder_.let("token", first_ + r);
                  for (std::size_t i = 0; i < values.size(); ++i) {
                    builder_.store(fetched[i], r, values[i].second(token));
                  }
                });
  builder_.barrier();
  return fetched;
}

void ScanChunk::each_channel(const std::function<void(Ex)>& body) {
  if (spec_.head_dim % 32 == 0) return body(thread_);
  builder_.when(thread_ < spec_.head_dim, [&] { body(thread_); });
}

void ScanChunk::each_token(const std::function<void(Ex, Ex)>& body) {
  if (direction_ == ScanDirection::kForward) {
    return builder_.loop("r", builder_.i64(0), size_,
                         [&](Ex r) { body(r, builder_.let("token", first_ + r)); });
  }
  builder_.loop("done", builder_.i64(0), size_, [&](Ex done) {
    const Ex r = builder_.let("r", size_ - 1 - done);
    body(r, builder_.let("token", first_ + r));
  });
}

void ScanChunk::sum_up(const ScanScratch& scratch, const Of& decay_of, const Of& added) {
  builder_.comment("from zero: what the chunk comes to, and the product of what it multiplies by");
  each_channel([&](Ex d) {
    const Var sum = builder_.variable("sum", builder_.f32(0));
    const Var product = builder_.variable("product", builder_.f32(1));
    each_token([&](Ex r, Ex token) {
      const Ex decay = builder_.let("decay", decay_of(r, token, d));
      builder_.assign(sum, decay * sum + added(r, token, d));
      builder_.assign(product, decay * product);
    });
    const Ex at = unit_ * spec_.head_dim + d;
    builder_.store(scratch.carry, at, sum);
    if (spec_.by_channel()) return builder_.store(scratch.product, at, product);
    builder_.when(equal(d, builder_.i64(0)),
                  [&] { builder_.store(scratch.product, unit_, product); });
  });
}

Ex ScanChunk::begins_with(const ScanScratch& scratch, Ex d) {
  return builder_.load(scratch.carry, unit_ * spec_.head_dim + d);
}

void ScanChain::run(Ex block, Ex warp, Ex lane, const std::function<void(MemoryId)>& begin) {
  block_ = block;
  warp_ = warp;
  lane_ = lane;
  const int dim = spec_.head_dim, own_channels = channels_of_lane(spec_);
  const MemoryId ends = builder_.array("ends", Type::kF32, kChainWarps * dim, true);
  const MemoryId factors = builder_.array("factors", Type::kF32, kChainWarps * dim, true);
  const MemoryId carry = builder_.array("carry", Type::kF32, own_channels);
  const MemoryId own = builder_.array("own", Type::kF32, own_channels);
  const MemoryId product = builder_.array("product", Type::kF32, own_channels);
  begin(carry);
  builder_.loop(
      "round", builder_.i64(0), scratch_.own, builder_.i64(kChainWarps * kWarpChunks),
      LoopKind::kSerial, [&](Ex round) {
        const Ex first = builder_.let("first", round + warp_ * kWarpChunks);
        const Ex size = builder_.let(
            "size",
            builder_.call(Helper::kMinimum, {builder_.i64(kWarpChunks), scratch_.own - first}));
        each_channel([&](Ex, Ex index) {
          builder_.store(own, index, builder_.f32(0));
          builder_.store(product, index, builder_.f32(1));
        });
        each_chunk(first, size, [&](Ex unit, Ex d, Ex index) {
          const Ex factor = builder_.let("factor", product_of(unit, d));
          builder_.store(own, index,
                         factor * builder_.load(own, index) +
                             builder_.load(scratch_.carry, carry_at(unit) + d));
          builder_.store(product, index, factor * builder_.load(product, index));
        });
        each_channel([&](Ex d, Ex index) {
          builder_.store(ends, warp_ * dim + d, builder_.load(own, index));
          builder_.store(factors, warp_ * dim + d, builder_.load(product, index));
        });
        builder_.barrier();
        join(ends, factors, carry, own);
        builder_.comment("each chunk's sum gives way to what the chunk begins with");
        each_chunk(first, size, [&](Ex unit, Ex d, Ex index) {
          const Ex end = builder_.let("end", builder_.load(scratch_.carry, carry_at(unit) + d));
          builder_.store(scratch_.carry, carry_at(unit) + d, builder_.load(own, index));
          builder_.store(own, index, product_of(unit, d) * builder_.load(own, index) + end);
        });
        builder_.barrier();
      });
}

void ScanChain::each_channel(const std::function<void(Ex, Ex)>& body) {
  each_channel_of_lane(builder_, spec_, lane_, body);
}

void ScanChain::each_chunk(Ex first, Ex size, const std::function<void(Ex, Ex, Ex)>& body) {
  builder_.loop("c", builder_.i64(0), size, [&](Ex c) {
    const bool forward = direction_ == ScanDirection::kForward;
    const Ex chunk = forward ? first + c : scratch_.own - 1 - (first + c);
    const Ex unit = builder_.let("unit", block_ * scratch_.chunks + chunk);
    each_channel([&](Ex d, Ex index) { body(unit, d, index); });
  });
}

// Over what the warps came to: `own` is what this one begins with, and `carry` what the next round
// does.
void ScanChain::join(MemoryId ends, MemoryId factors, MemoryId carry, MemoryId own) {
  builder_.loop("other", builder_.i64(0), builder_.i64(kChainWarps), [&](Ex other) {
    each_channel([&](Ex d, Ex index) {
      builder_.when(equal(other, warp_),
                    [&] { builder_.store(own, index, builder_.load(carry, index)); });
      const Ex at = builder_.let("at", other * spec_.head_dim + d);
      builder_.store(
          carry, index,
          builder_.load(factors, at) * builder_.load(carry, index) + builder_.load(ends, at));
    });
  });
}

// What a chunk multiplies what it begins with by.
Ex ScanChain::product_of(Ex unit, Ex d) {
  return builder_.load(scratch_.product, spec_.by_channel() ? carry_at(unit) + d : unit);
}

}  // namespace heddle::schedule
