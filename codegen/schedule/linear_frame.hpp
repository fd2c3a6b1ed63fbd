// SPDX-License-Identifier: Apache-2.0
// What every kernel of linear weights has in common: its arguments, and where the rows and the
// state of one (batch, head) lie in them.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "codegen/schedule/sequences.hpp"

namespace heddle::schedule {

enum class LinearUse { kPrefill, kDecode, kBackward };  // decode: cache_state and a single token

class LinearFrame {
 public:
  // Declares the arguments.
  LinearFrame(ir::Builder& builder, const KernelSpec& spec, LinearUse use);

  // Defines what depends on the block, which has a chunk of its head's tokens where `chunks` says
  // so.
  void enter(ir::Ex block);

  // `body` for a chunk that its sequence has.
  void where_own(const std::function<void()>& body);

  // The number of a token among all rows of one channel-free argument, such as the gates of
  // tokens.
  ir::Ex row_of(ir::Ex token) const;
  ir::Ex state(ir::Ex s, ir::Ex d) const { return state_at + s * spec.head_dim + d; }

  ir::Builder& builder;
  const KernelSpec& spec;
  bool decode;
  bool goes_on;  // from a state
  ir::MemoryId q, k, x, gate, y, before, after;
  ir::MemoryId dy, dq, dk, dx, dgate;  // of backward
  ir::MemoryId dbefore, dafter;        // likewise, with state_gradients, as `before` and `start`
  // Of the launch; once a block is entered, of its sequence with varlen, or of its chunk.
  ir::Ex tokens, start;
  ir::Ex heads, batch, head, state_at;
  std::optional<ir::Ex> chunks;  // of a head
  ir::Ex unit, chunk;            // of all heads' chunks, and of one head's
  ir::Ex own_chunks;             // of a scan with varlen: those that the block's sequence has
  ir::Ex most_before;            // `start` of the launch

 private:
  bool behind_each_other() const { return spec.varlen && !decode; }
  void declare_states(LinearUse use);
  void enter_sequence();

  SequenceArrays sequences_;  // with varlen
  ir::Ex longest_, all_tokens_;
  ir::Ex row_base_;  // of the first of `tokens`
};

}  // namespace heddle::schedule
