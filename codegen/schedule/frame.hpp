// SPDX-License-Identifier: Apache-2.0
// What every kernel but those of gated matrix states has in common: its arguments, where the rows
// of one (batch, head) lie in them, how channels are spread over threads, and where position p of a
// row is to be found, among this launch's tokens or in the cache.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "codegen/schedule/row_lanes.hpp"
#include "codegen/schedule/sequences.hpp"

namespace heddle::schedule {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;

// One side's slots in some cache buffers: initial_, final_ or cache_.
struct CacheBuffers {
  ir::MemoryId pos;  // kNextRow only
  ir::MemoryId key;  // softmax only
  ir::MemoryId val;
};

struct SideFrame {
  Side side;
  const rows::RowPlan* plan;
  CacheRetention keep;
  ir::MemoryId input;  // x or y
  ir::MemoryId coefficients;
  ir::Ex width;
  CacheBuffers before;  // initial_ or cache_
  CacheBuffers after;   // final_ or cache_
  ir::Ex slots;
  ir::Ex slot_base;  // of this (batch, head), in elements of key and val
  ir::Ex pos_base;
  // With pages: the table of them, its columns, and how many pages there are.
  ir::MemoryId pages;
  ir::Ex table, pool;

  bool cached() const { return keep != CacheRetention::kNone; }
};

// Where the key and the value of a position lie.
struct Location {
  ir::MemoryId key;
  ir::MemoryId value;
  ir::Ex at;  // of channel 0
  // Where given: whether they lie anywhere. What a state does not hold must not be read: a slot
  // without a token has no contents.
  std::optional<ir::Ex> held;
};
struct Slot {
  ir::Ex number;
  std::optional<ir::Ex> held;
};

// One more than the slot that holds position p, of `slots` whose positions lie from `first` on; 0
// when a broken state lacks it. Of cuda, by all lanes that share a row.
ir::Ex find_on_cuda(ir::Builder& builder, ir::Ex lane, ir::MemoryId positions, ir::Ex first,
                    ir::Ex slots, ir::Ex p, int sharing = 32);

class Frame {
 public:
  // Declares the arguments; `decode` selects cache_ buffers and a single token.
  Frame(ir::Builder& builder, const KernelSpec& spec, bool decode);
  // Of the transposed system (I - B)^T lambda = dy, where rows of B reach the same distances back:
  // token 0 is the launch's last one, so that what reads a row of B lies where in prefill that
  // lies which it reads. There `x` is dy, `y` lambda, and queries and keys have changed places.
  struct Transposed {};
  Frame(ir::Builder& builder, const KernelSpec& spec, Transposed);

  // Runs `body` for the block of a cuda launch, or for each block of a cpu launch's range, where
  // everything below that depends on the block is defined. Blocks do not depend on each other.
  void each_block(const std::function<void()>& body);

  // Within a block of decode: `body` for the new token, or for each of several in turn, where
  // `start` and the places of token 0 are those of that token.
  void each_new_token(const std::function<void()>& body);

  // Element offset of channel 0 of this head at the launch's token 0, 1, ...
  ir::Ex token_at(ir::Ex token) const { return token_base + token * token_stride; }
  ir::Ex slot_at(const SideFrame& side, ir::Ex slot) const;
  // The row of a token in arrays of coefficients, counted over batch, tokens and heads.
  ir::Ex row_at(ir::Ex token) const;
  // Position p of a row, 1 <= p <= start + tokens.
  Location locate(const SideFrame& side, ir::Ex p);
  // ... of a side that is cached, where the schedule knows that p <= start.
  Location locate_in_state(const SideFrame& side, ir::Ex p);
  // The slot of a position at most `start`. Where a broken cache lacks it, cuda kernels know, and
  // others take slot 0. On cuda by all lanes that share a row.
  Slot slot_of(const SideFrame& side, const CacheBuffers& cache, ir::Ex p);
  // What lies there, 0 where nothing does; `use` of the place where something does.
  ir::Ex load(const Location& from, ir::MemoryId memory, ir::Ex channel);
  void where_held(const Location& location, const std::function<void()>& use);

  // body(channel, index) for each channel this thread owns; `index` counts in a private array of
  // `owned` elements. Every warp has all channels, unless `warps_share`: then the block has them
  // once.
  void each_channel(const std::function<void(ir::Ex, ir::Ex)>& body);
  int owned() const;
  RowLanes row_lanes() const;  // cuda only

  bool in_pages() const { return decode && spec.page_rows > 0; }
  bool cuda() const { return spec.target == ir::Target::kCuda; }
  bool softmax() const { return spec.weights == WeightKind::kSoftmax; }
  // A row's own scores do not say what its weights are: those that it is read with do.
  bool transposed() const { return transposed_; }
  ElementType value_type() const { return transposed_ ? ElementType::kF32 : spec.dtype; }
  ir::Ex rounded(ir::Ex value) const;

  ir::Builder& builder;
  const KernelSpec& spec;
  bool decode;
  int warps = kWarps;  // of a block, cuda only
  bool warps_share = false;
  ir::MemoryId q, k, x, y;
  ir::MemoryId states;  // prefill of matrix states: of the launch's tokens, or twice those live
  ir::Ex live_states;   // then: the most at a time
  // Of the transposed system with softmax weights: by row, the highest score and one over the sum
  // of weights.
  ir::MemoryId highest, inverse;
  SideFrame a, b;
  // Of the launch; with varlen, within each_block, of the block's sequence. `longest`: with varlen
  // the most tokens of a sequence after a prefill.
  ir::Ex tokens, start;
  ir::Ex longest, heads, scale;
  std::optional<ir::Ex> gamma;  // only where rows may have entries of both sides
  ir::Ex token_base, token_stride, slot_stride;
  ir::Ex block, head, batch;
  ir::Ex slice;                  // of a head's channels, where a launch cuts them, or blocks do
  std::optional<ir::Ex> chunks;  // of a head's tokens, where a block has one of them
  ir::Ex unit, chunk;            // then: which of all, and which of its head
  ir::Ex warp, lane, thread;     // cuda only
  // While groups of lanes have rows of their own: how many share one, and which of them this is.
  int sharing = 32;
  ir::Ex lane_of_row;

 private:
  void enter(ir::Ex unit);
  void enter_sequence();
  void declare_scalars();
  bool has_coefficients(const SideFrame& side) const {
    const bool own_input = side.side == Side::kA && spec.matrix_rows();  // which is never weighed
    return !softmax() && !side.plan->empty() && !own_input;
  }
  CacheBuffers cache_buffers(Side side, const std::string& prefix, Access access);
  void declare_cache(SideFrame& side);

  bool transposed_ = false;
  SequenceArrays sequences_;  // with varlen
  ir::Ex most_before_, all_tokens_;
  ir::Ex first_token_;          // of this block's sequence
  std::optional<ir::Ex> turn_;  // of several new tokens, which one
};

}  // namespace heddle::schedule
