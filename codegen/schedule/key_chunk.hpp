// SPDX-License-Identifier: Apache-2.0
// What kernels on tensor cores share where each key has a gate of its own: the gates of a chunk in
// shared memory, and what the rows of each of its blocks weigh for each other.
#pragma once

#include "codegen/schedule/key_plan.hpp"
#include "codegen/schedule/linear_frame.hpp"

namespace heddle::schedule {

// Where they lie; gates come first among the reals, and queries among the staged.
struct KeyChunk {
  LinearFrame& frame;
  ir::MemoryId staged, reals;
  ir::Ex thread;
  int threads;
  std::int64_t keys_at, key_stride, weights_at, parts_at;

  ir::Ex gate(ir::Ex row, ir::Ex s) const;
  // `body` for so many items, shared out among the threads.
  void each_item(std::int64_t count, const std::function<void(ir::Ex)>& body) const;
  // From token `first` on, one behind the first `size`.
  void bring_gates(ir::Ex first, ir::Ex size) const;
  // W_ij of a block is the sum over s of q_is D^s_ij k_js. A thread has a column, of every
  // `weight_parts`-th key; once all have theirs, they are added up, 0 where j > i, and go where
  // W or, turned, its transpose has them.
  void weigh() const;
  void add_weights(bool turned) const;

 private:
  ir::Ex part_at(ir::Ex part, ir::Ex row, ir::Ex j) const;
};

}  // namespace heddle::schedule
