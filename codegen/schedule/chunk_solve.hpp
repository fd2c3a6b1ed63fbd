// SPDX-License-Identifier: Apache-2.0
// Solves a chunk of rows of B on cuda: y_r = sum_r + sum over c < r of w_rc y_c, a thread for each
// channel. What rows weigh for each other lies in shared memory by row and column, 0 where a row
// does not read a column; outputs stay in registers, for which every index of them is a constant.
#pragma once

#include <functional>
#include <vector>

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

// The distances back within a chunk of `rows` rows at which a row of B may read, ascending: those
// that rows have where every row has the same ones, if they are few, else all.
std::vector<std::int64_t> near_distances(const KernelSpec& spec, int rows);
// Whether they are few: then a step takes few registers besides the outputs.
bool few_distances(const KernelSpec& spec, int rows);
// The multiply-adds of a channel that solves a chunk.
std::int64_t solve_steps(const KernelSpec& spec, int rows);

class ChunkSolve {
 public:
  // Reals from one row of weights to the next: groups of eight lanes that have rows side by side
  // leave them in banks of their own.
  static constexpr int stride_of(int rows) { return rows + 8; }

  // Declares the weights of a chunk of `rows` rows, at most the lanes of a warp.
  ChunkSolve(Frame& frame, int rows);

  // What row r weighs column c of the chunk with; all columns of a row are left.
  void leave(ir::Ex r, ir::Ex c, ir::Ex weight);
  // By all warps, which have left `size` rows: those that a last chunk lacks weigh nothing, and
  // `clear` makes their sums 0.
  void close(ir::Ex size, const std::function<void(ir::Ex)>& clear);
  // By a thread, behind a barrier.
  void solve(const std::function<ir::Ex(ir::Ex)>& sum,
             const std::function<void(ir::Ex, ir::Ex)>& keep);

 private:
  void each_row(int first, const std::function<void(ir::Ex)>& body);
  void take(ir::MemoryId solved, ir::Ex r, ir::Ex c);
  ir::Ex place(ir::Ex r, ir::Ex c) const { return r * stride_of(rows_) + c; }

  Frame& frame_;
  ir::Builder& builder_;
  int rows_;
  std::vector<std::int64_t> distances_;
  ir::MemoryId weights_;
};

}  // namespace heddle::schedule
