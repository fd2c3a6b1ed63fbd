// SPDX-License-Identifier: Apache-2.0
// What attention on tensor cores does with a chunk of rows, whichever positions they read: queries
// come in, keys and values lie in windows of kTensorChunk positions, each warp takes sixteen rows
// through a window, and outputs go out. Scores and sums stay in registers, where the highest score
// of a row and the sum of its weights are kept up. Weights are rounded to the kernel's type for the
// second product; their sums are not.
#pragma once

#include <functional>
#include <string>

#include "codegen/schedule/attention_plan.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

// What the kernels of attention on tensor cores declare: blocks side by side, sizes, chunks.
void declare_attention(Frame& frame);

class AttentionRows {
 public:
  explicit AttentionRows(Frame& frame);

  // Declares shared memory; then, for a chunk, what its warps keep of their rows.
  void open();
  void begin();
  // Of the chunk's tokens from `first` on; rows beyond the last one are zero, so that nothing else
  // has to know of them.
  void bring_queries(ir::Ex first, ir::Ex size);
  // Where row `row` of a window lies.
  struct Place {
    ir::Ex key, value;
  };
  Place place_of(ir::Ex stage, ir::Ex row, ir::Ex d);
  void start(const Place& to, const Location& from, ir::Ex d);
  void clear(const Place& at);
  // By whole warps: its rows take the window. `mask` takes scores away that are none.
  void mix(ir::Ex stage, const std::function<void(ir::VectorPlace)>& mask);
  // Outputs go out by way of shared memory, in whole vectors.
  void write(ir::Ex first, ir::Ex size);

  // The vectors of rows, shared out among the threads: body(row, channel).
  void each_piece(ir::Ex rows, const std::function<void(ir::Ex, ir::Ex)>& body);
  int threads() const;
  int pieces() const;  // vectors of a row

  const AttentionLayout layout;

 private:
  void fill(ir::MemoryId sums, int count, ir::Ex value);
  void each_sum(int count, const std::function<void(ir::Ex)>& body);

  Frame& frame_;
  ir::Builder& builder_;
  int dim_, tiles_;
  ir::MemoryId staged_, scores_, outputs_, highest_, totals_;
  ir::Ex own_at_;
};

// Vectors of sixteen bytes.
constexpr int kAttentionVector = 8;
inline std::string on_tiles(const char* name, int tiles) {
  return std::string(name) + "<" + std::to_string(tiles) + ">";
}
inline std::string on_tiles(const char* name, int tiles, int other) {
  return std::string(name) + "<" + std::to_string(tiles) + ", " + std::to_string(other) + ">";
}
// Of the scores of sixteen rows and a window.
constexpr int kScoreTiles = kTensorChunk / 8;

}  // namespace heddle::schedule
