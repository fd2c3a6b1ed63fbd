// SPDX-License-Identifier: Apache-2.0
// What both launches of attention's backward on tensor cores do with a chunk: its own rows come in,
// sixteen to a warp, windows of others come by, and gradients go out by way of shared memory.
#pragma once

#include <functional>
#include <string>

#include "codegen/schedule/attention_back.hpp"
#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

class AttentionBackTiles {
 public:
  AttentionBackTiles(const KernelSpec& spec, const std::string& step, GradientScratch scratch);

  // Two rows of each token, one behind the other.
  struct Both {
    ir::MemoryId first, second;
  };

  // Runs `chunk` for the block's own, whose tokens `first` and `size` are.
  ir::Kernel run(const std::function<void()>& chunk, bool longest_last);
  // Those beyond the last token are zero, so that nothing else has to know of them.
  void bring_own(const Both& from);
  // ... one row of each, to where the second window has its rows.
  void bring_own_to_second_window(ir::MemoryId from);
  // Of tokens `token` on; where `some_missing`, rows beyond the last one are zero.
  void bring_window(const Both& from, ir::Ex token, ir::Ex stage, bool some_missing);
  // The warp's sixteen rows, of the first kind or the second; and a window's, from `row` on.
  ir::VectorPlace own_first(bool writes = false) { return {staged, own_at, writes}; }
  ir::VectorPlace own_second(bool writes = false) {
    return {staged, own_at + layout.seconds_at, writes};
  }
  ir::VectorPlace window_first(ir::Ex stage, ir::Ex row);
  ir::VectorPlace window_second(ir::Ex stage, ir::Ex row);
  ir::Ex stride() { return builder.i64(layout.stride); }
  // What lies where the chunk's own rows lay.
  void send_first(ir::MemoryId to) { send(to, 0); }
  void send_second(ir::MemoryId to) { send(to, layout.seconds_at); }

  ir::MemoryId sums(const char* name, int count);
  void each_sum(int count, const std::function<void(ir::Ex)>& body);
  void fill(ir::MemoryId sums, int count, ir::Ex value);
  ir::VectorPlace whole(ir::MemoryId sums) { return {sums, builder.i64(0), true}; }

  const KernelSpec& spec;
  const AttentionBackLayout layout;
  const int tiles;           // of a row of channels
  const std::int64_t reach;  // how far before itself a row reads; 0: to the first token
  ir::Builder builder;
  GradientFrame frame;
  ir::MemoryId staged;
  ir::Ex first, size, own_at;

 private:
  int threads() const { return 32 * spec.tensor->warps; }
  void each_piece(ir::Ex rows, const std::function<void(ir::Ex, ir::Ex)>& body);
  void bring(ir::MemoryId from, ir::Ex token, ir::Ex to, ir::Ex d);
  void clear(ir::Ex to);
  void send(ir::MemoryId to, std::int64_t from);
};

}  // namespace heddle::schedule
