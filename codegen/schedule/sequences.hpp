// SPDX-License-Identifier: Apache-2.0
// Sequences of a batch that have lengths and starts of their own: the arrays that say so, and what
// a block makes of them. Whatever they hold, a sequence lies among the launch's tokens and is no
// longer than the launch says: numbers that no launch may pass are taken for the nearest ones that
// it may, so that no access depends on the contents of an array.
#pragma once

#include "codegen/ir/builder.hpp"

namespace heddle::schedule {

struct SequenceArrays {
  ir::MemoryId offsets;  // not of decode, where every sequence has one token
  ir::MemoryId starts;   // of backward between states only
};
SequenceArrays declare_sequences(ir::Builder& builder, bool offsets, bool starts);

// How many tokens of this sequence came before: 0 .. most.
ir::Ex own_start(ir::Builder& builder, const SequenceArrays& arrays, ir::Ex batch, ir::Ex most);

// Which tokens of the launch are this sequence's: `count` of them, at most `room`, from `first` on.
struct OwnTokens {
  ir::Ex first;
  ir::Ex count;
};
OwnTokens own_tokens(ir::Builder& builder, const SequenceArrays& arrays, ir::Ex batch,
                     ir::Ex tokens, ir::Ex room);

// Of chunks of so many tokens, those that hold the sequence's own; at least one.
ir::Ex own_chunks(ir::Builder& builder, ir::Ex tokens, int chunk_tokens);

// value, or what of low .. high is nearest to it; low <= high.
ir::Ex between(ir::Builder& builder, ir::Ex value, ir::Ex low, ir::Ex high);

}  // namespace heddle::schedule
