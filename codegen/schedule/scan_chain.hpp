// SPDX-License-Identifier: Apache-2.0
// What the launches of a scan over chunks of tokens have in common, forward and backward: the
// scratch that they hand on, the blocks that have a chunk each, and the launch in the middle, which
// goes over the chunks.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

// Of every chunk: what it comes to from zero, which the chain turns into what it begins with, by
// channel; and the product of what it multiplies that by, of each channel where weights are gated.
struct ScanScratch {
  ir::MemoryId carry, product;
  ir::Ex chunks;  // of a head
  ir::Ex own;     // of those, what its sequence has; the others are left alone

  ScanScratch(ir::Builder& builder, const KernelSpec& spec, Access carries, Access products);

  // Within a block, of a sequence of so many tokens.
  void enter(ir::Ex tokens);
  // `body` for a chunk that its sequence has.
  void where_own(ir::Ex chunk, const std::function<void()>& body);

 private:
  ir::Builder& builder_;
  const KernelSpec& spec_;
};

// body(channel, index) for the channels of a lane, where every warp has all of them.
void each_channel_of_lane(ir::Builder& builder, const KernelSpec& spec, ir::Ex lane,
                          const std::function<void(ir::Ex, ir::Ex)>& body);
int channels_of_lane(const KernelSpec& spec);

enum class ScanDirection { kForward, kBackward };  // from the first token on, or from the last

// The chunk of a block, which has a thread for each channel.
class ScanChunk {
 public:
  ScanChunk(ir::Builder& builder, const KernelSpec& spec, ScanDirection direction)
      : builder_(builder), spec_(spec), direction_(direction) {}

  // Within the block that has number `unit` of all and `chunk` of its head's `tokens`.
  void enter(ir::Ex unit, ir::Ex chunk, ir::Ex tokens, ir::Ex thread);
  // What all channels of a token have in common is asked for by one thread, for the whole block:
  // shared arrays of these names, by token of the chunk. Behind a barrier.
  using Value = std::pair<const char*, std::function<ir::Ex(ir::Ex token)>>;
  std::vector<ir::MemoryId> fetch(const std::vector<Value>& values);
  void each_channel(const std::function<void(ir::Ex d)>& body);
  // body(r, token) for token r of the chunk.
  void each_token(const std::function<void(ir::Ex, ir::Ex)>& body);
  // From zero: sum = decay sum + added, and the product of all decays, into the scratch. Both are
  // asked of (r, token, d).
  using Of = std::function<ir::Ex(ir::Ex, ir::Ex, ir::Ex)>;
  void sum_up(const ScanScratch& scratch, const Of& decay, const Of& added);
  // What channel d begins with, once the chain has gone over the chunks.
  ir::Ex begins_with(const ScanScratch& scratch, ir::Ex d);
  ir::Ex first() const { return first_; }  // token
  ir::Ex size() const { return size_; }

 private:
  ir::Builder& builder_;
  const KernelSpec& spec_;
  ScanDirection direction_;
  ir::Ex unit_, first_, size_, thread_;
};

// In rounds of so many chunks a warp: each warp goes over its own from zero first, and again from
// what the warps before it come to. Every warp has all channels.
class ScanChain {
 public:
  ScanChain(ir::Builder& builder, const KernelSpec& spec, ScanScratch scratch,
            ScanDirection direction)
      : builder_(builder), spec_(spec), scratch_(scratch), direction_(direction) {}

  // `begin(carry)` stores what the channels of a lane have before the first chunk that is taken.
  void run(ir::Ex block, ir::Ex warp, ir::Ex lane,
           const std::function<void(ir::MemoryId carry)>& begin);

 private:
  void each_channel(const std::function<void(ir::Ex, ir::Ex)>& body);
  void each_chunk(ir::Ex first, ir::Ex size,
                  const std::function<void(ir::Ex unit, ir::Ex d, ir::Ex index)>& body);
  void join(ir::MemoryId ends, ir::MemoryId factors, ir::MemoryId carry, ir::MemoryId own);
  ir::Ex product_of(ir::Ex unit, ir::Ex d);
  ir::Ex carry_at(ir::Ex unit) const { return unit * spec_.head_dim; }

  ir::Builder& builder_;
  const KernelSpec& spec_;
  ScanScratch scratch_;
  ScanDirection direction_;
  ir::Ex block_, warp_, lane_;
};

}  // namespace heddle::schedule
