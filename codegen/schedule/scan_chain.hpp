// SPDX-License-Identifier: Apache-2.0
// What the launches of a scan over chunks of tokens have in common, forward and backward: the
// scratch that they hand on, and the launch in the middle, which goes over the chunks.
#pragma once

#include <functional>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

// Of every chunk: what it comes to from zero, which the chain turns into what it begins with, by
// channel; and the product of what it multiplies that by, of each channel where weights are gated.
struct ScanScratch {
  ir::MemoryId carry, product;
  ir::Ex chunks;  // of a head

  ScanScratch(ir::Builder& builder, const KernelSpec& spec, Access carries, Access products);
};

// body(channel, index) for the channels of a lane, where every warp has all of them.
void each_channel_of_lane(ir::Builder& builder, const KernelSpec& spec, ir::Ex lane,
                          const std::function<void(ir::Ex, ir::Ex)>& body);
int channels_of_lane(const KernelSpec& spec);

enum class ScanDirection { kForward, kBackward };  // from the first chunk on, or from the last

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
