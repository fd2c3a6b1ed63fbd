// SPDX-License-Identifier: Apache-2.0
// Solves a chunk of rows of B on cuda: y_r = sum_r + sum over c < r of w_rc y_c, a thread for each
// channel. What rows weigh for each other lies in shared memory, 0 where a row does not read a
// column; outputs stay in registers, for which every index of them is a constant.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "codegen/schedule/row_groups.hpp"

namespace heddle::schedule {

// The distances below `rows` at which rows of B read, ascending, where every row has the same ones.
std::optional<std::vector<std::int64_t>> shifted_distances(const KernelSpec& spec, int rows);
// The distances back within a chunk of `rows` rows at which a row of B may read, ascending: those
// that rows have where every row has the same ones, if they are few, else all.
std::vector<std::int64_t> near_distances(const KernelSpec& spec, int rows);
// Whether they are few: then a step takes few registers besides the outputs.
bool few_distances(const KernelSpec& spec, int rows);
// The multiply-adds of a channel that solves a chunk.
std::int64_t solve_steps(const KernelSpec& spec, int rows);

class ChunkSolve {
 public:
  // Declares the weights of a chunk of `rows` rows, a multiple of the lanes of a warp. A place of a
  // row's weight is its column.
  ChunkSolve(Frame& frame, int rows);
  // Where distances are few, a place is one of them, of which lanes that share a row have one or
  // more each.
  ChunkSolve(Frame& frame, int rows, const RowGroups& groups);
  // Of gated weights, which every channel has of its own: those of few distances, one after the
  // other, of all rows, in rows of `gates` from element `at` on.
  ChunkSolve(Frame& frame, int rows, ir::MemoryId gates, ir::Ex at);
  // Of weights that lie in `weights` from element `at` on and are left there by others: those of
  // few distances, one after the other, of all rows, from one to the next `stride` reals.
  ChunkSolve(Frame& frame, int rows, ir::MemoryId weights, ir::Ex at, std::int64_t stride);
  // Rows that gated ones take; none where distances are many.
  static std::int64_t gate_rows(const KernelSpec& spec, int rows);
  // Bytes of the weights of the former, and of the latter.
  static std::int64_t bytes_by_column(int rows);
  static std::int64_t bytes_of(const KernelSpec& spec, int rows, int sharing);
  // Weights of a row there, a multiple of the lanes that share it.
  static int places_of(const KernelSpec& spec, int rows, int sharing);

  // Once, behind the kernel's declarations: says which distances this lane has.
  void open(const RowGroups& groups);

  int places() const { return places_; }
  // By which this lane knows its weights where they are no columns.
  const std::optional<ir::MemoryId>& distances() const { return own_; }
  // What tells an entry of row r at column c apart.
  ir::Ex number(ir::Ex r, ir::Ex c) const { return own_ ? r - c : c; }

  // What row r of the chunk weighs the entry at such a place with; all places of a row are left.
  void leave(ir::Ex r, ir::Ex place, ir::Ex weight);
  // The same of gated weights, by all that share the row: first nothing for any of its places, then
  // the gates of entries, by how far back these are.
  void open_gates(const RowLanes& lanes, ir::Ex r);
  void leave_gates(const RowLanes& lanes, ir::Ex r, ir::Ex distance, ir::MemoryId gates);
  // By all warps, which have left `size` rows: those that a last chunk lacks weigh nothing, and
  // `clear` makes their sums 0.
  void close(ir::Ex size, const std::function<void(ir::Ex)>& clear);
  // By a thread, behind a barrier; with gated weights for channel d.
  void solve(const std::function<ir::Ex(ir::Ex)>& sum,
             const std::function<void(ir::Ex, ir::Ex)>& keep, ir::Ex d = {});

 private:
  void each_row(int first, int end, const std::function<void(ir::Ex)>& body);
  void each_row(int first, const std::function<void(ir::Ex)>& body);
  void take(ir::MemoryId solved, ir::Ex d, ir::Ex r, ir::Ex c, ir::Ex place);
  ir::Ex gates_at(ir::Ex r, ir::Ex place) const;
  ir::Ex weight_at(ir::Ex r, ir::Ex place) const;

  Frame& frame_;
  ir::Builder& builder_;
  int rows_;
  std::vector<std::int64_t> distances_;
  int places_;
  std::optional<ir::MemoryId> own_;
  ir::MemoryId weights_;
  std::optional<ir::Ex> gates_from_, weights_from_;  // there
  std::int64_t stride_ = 0;                          // of the latter
};

}  // namespace heddle::schedule
