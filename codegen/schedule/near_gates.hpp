// SPDX-License-Identifier: Apache-2.0
// Solves a chunk of rows of a lattice with gated weights: y_r = sum_r + sum over entries e of the
// chunk's own rows of gate_re * y_c(e), channel by channel. Gates lie in shared memory by the
// number of their entry in its row, with the column that the entry reads; the first entries lie at
// the same distances in all rows, so that their outputs are found in registers.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "codegen/schedule/row_groups.hpp"

namespace heddle::schedule {

class NearGates {
 public:
  // What rows of the lattice that B is read of the `rows` rows before them.
  struct Entries {
    int most = 0;                      // of a row, in any launch
    std::vector<std::int64_t> always;  // distances of the first ones
  };
  // None where rows have too many of them to be kept, or nobody knows how many.
  static std::optional<Entries> entries_of(const KernelSpec& spec, int rows);
  // Rows of shared memory that the gates of a chunk take, bytes that are declared besides, and
  // multiply-adds of a channel that solves it.
  static std::int64_t gate_rows(const Entries& entries, int rows) {
    return std::int64_t{rows} * entries.most;
  }
  std::int64_t gate_rows() const { return gate_rows(entries_, rows_); }
  static std::int64_t bytes_of(const Entries& entries, int rows, int sharing);
  static std::int64_t steps_of(const Entries& entries, int rows);

  // Gates are rows of `gates` from element `at` on.
  NearGates(Frame& frame, int rows, const RowGroups& groups, ir::MemoryId gates, ir::Ex at);

  // By all that share row r: first nothing for any of its entries, then the gates of entry `number`
  // at column c of the chunk, and where all of them have been taken their columns.
  void open_row(const RowLanes& lanes, ir::Ex r);
  void leave(const RowLanes& lanes, ir::Ex r, ir::Ex number, ir::Ex c, ir::MemoryId gates);
  void close_row(ir::Ex r);
  // By all warps, which have left `size` rows: those that a last chunk lacks have no entries, and
  // `clear` makes their sums 0.
  void close(ir::Ex size, const std::function<void(ir::Ex)>& clear);

  // Where a thread that solves channel d finds what a row sums and leaves its output for others.
  struct Place {
    ir::MemoryId memory;
    std::function<ir::Ex(ir::Ex)> at;  // of a row
  };
  // By a thread, behind a barrier; `keep` gets each row's output besides.
  void solve(const Place& place, ir::Ex d, const std::function<void(ir::Ex, ir::Ex)>& keep);

 private:
  ir::Ex gates_at(ir::Ex r, ir::Ex number) const;
  void each_part(const std::function<void(ir::Ex number, ir::Ex part)>& body);
  void take_any(const Place& place, ir::MemoryId solved, ir::Ex r, ir::Ex d);

  Frame& frame_;
  ir::Builder& builder_;
  const RowGroups& groups_;
  int rows_;
  Entries entries_;
  int places_;  // of a row's columns: a multiple of the lanes that share it
  ir::MemoryId gates_;
  ir::Ex from_;
  ir::MemoryId columns_;  // by row and entry
  ir::MemoryId own_;      // those that this lane keeps of the row at hand
};

}  // namespace heddle::schedule
