// SPDX-License-Identifier: Apache-2.0
// What every kernel of linear weights has in common: its arguments, and where the rows and the
// state of one (batch, head) lie in them.
#pragma once

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"
#include "codegen/schedule/sequences.hpp"

namespace heddle::schedule {

class LinearFrame {
 public:
  // Declares the arguments; `decode` selects cache_state and a single token.
  LinearFrame(ir::Builder& builder, const KernelSpec& spec, bool decode);

  // Defines what depends on the block.
  void enter(ir::Ex block);

  // The number of a token among all rows of one channel-free argument, such as `gate`.
  ir::Ex row_of(ir::Ex token) const;
  ir::Ex state(ir::Ex s, ir::Ex d) const { return state_at + s * spec.head_dim + d; }

  ir::Builder& builder;
  const KernelSpec& spec;
  bool decode;
  ir::MemoryId q, k, x, gate, y, before, after;
  // Of the launch; with varlen, once a block is entered, of its sequence.
  ir::Ex tokens, start;
  ir::Ex heads, batch, head, state_at;

 private:
  bool behind_each_other() const { return spec.varlen && !decode; }

  SequenceArrays sequences_;  // with varlen
  ir::Ex longest_, most_before_, all_tokens_;
  ir::Ex first_token_;
};

}  // namespace heddle::schedule
